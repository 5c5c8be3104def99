// Prints the table of standards into README.md from what the features declare: `npm run readme`.
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { loadFeatures, standardsOf } from '../server/chat.ts'
import type { Standard } from '../server/core/feature.ts'

const begin = '<!-- standards: printed by `npm run readme` -->'
const end = '<!-- /standards -->'

/** The README with its table of standards replaced. @throws Error when the README has lost its marks */
export function withStandards(readme: string, standards: readonly Standard[]): string {
  const from = readme.indexOf(begin)
  const to = readme.indexOf(end)
  if (from < 0 || to < from) throw new Error(`README.md has lost the lines ${begin} and ${end}.`)
  const rows = standards.map(
    ({ id, title, version = '', note = '' }) => `| ${link(id)} | ${title} | ${version} | ${note} |`,
  )
  const table = ['| Standard | What it is | Version | Left out |', '|---|---|---|---|', ...rows].join('\n')
  return `${readme.slice(0, from)}${begin}\n${table}\n${readme.slice(to)}`
}

function link(id: string): string {
  const [series = '', number = ''] = id.split(/[- ]/)
  const page = series === 'RFC' ? `www.rfc-editor.org/rfc/rfc${number}` : `xmpp.org/extensions/xep-${number}.html`
  return `[${id}](https://${page})`
}

export const readmeFile = fileURLToPath(new URL('../README.md', import.meta.url))

if (import.meta.main) {
  const readme = await readFile(readmeFile, 'utf8')
  await writeFile(readmeFile, withStandards(readme, standardsOf(await loadFeatures())))
}
