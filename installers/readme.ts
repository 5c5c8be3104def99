/** `npm run readme`: prints the table of implemented standards into README.md, from what the features declare. */
import { readFile, writeFile } from 'node:fs/promises'
import { loadFeatures, standardsOf } from '../server/chat.ts'
import type { Standard } from '../server/core/feature.ts'

const readme = new URL('../README.md', import.meta.url)
const begin = '<!-- standards: printed by `npm run readme` -->'
const end = '<!-- end of standards -->'

const text = await readFile(readme, 'utf8')
const [from, to] = [text.indexOf(begin), text.indexOf(end)]
if (from < 0 || to < from) {
  process.stderr.write(`README.md has no place for the standards: put "${begin}" and "${end}" on two lines of it.\n`)
  process.exit(1)
}
const table = tableOf(standardsOf(await loadFeatures()))
await writeFile(readme, `${text.slice(0, from)}${begin}\n${table}\n${text.slice(to)}`)

function tableOf(standards: readonly Standard[]): string {
  const rows = standards.map(({ id, title, version = '', note = '' }) => [link(id), title, version, note])
  return [['Document', 'Title', 'Version', 'Left out'], ['---', '---', '---', '---'], ...rows]
    .map(cells => `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n')
}

function link(id: string): string {
  const [series = '', number = ''] = id.split(/[- ]/)
  const url =
    series === 'RFC' ? `https://www.rfc-editor.org/rfc/rfc${number}` : `https://xmpp.org/extensions/xep-${number}.html`
  return `[${id}](${url})`
}
