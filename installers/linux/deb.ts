/** The .deb for Debian, Ubuntu and what comes from them. */
import { createHash } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { onPath } from '../apt.mjs'
import { bytesIn, filesIn } from '../files.ts'
import { must } from '../parts/fetch.ts'
import { run } from '../set-up.mjs'
import { configurationFiles } from './layout.ts'
import { accountLines, filled, glibcOf, type PackageOptions } from './package.ts'

const buildMs = 15 * 60_000

/** @returns the finished file, or why there is none */
export async function makeDeb({
  target,
  version,
  tree,
  output,
  isQuick,
}: PackageOptions): Promise<{ file: string } | string> {
  const tool = onPath(['dpkg-deb'])
  if (tool === undefined) return 'dpkg-deb is not here (package dpkg)'
  const architecture = target.arch === 'x64' ? 'amd64' : 'arm64'
  const control = path.join(tree, 'DEBIAN')
  await mkdir(control)
  try {
    const values = {
      version,
      architecture,
      glibc: await glibcOf(tree),
      kibibytes: String(Math.ceil((await bytesIn(tree)) / 1024)),
    }
    await writeFile(path.join(control, 'md5sums'), await sums(tree))
    await writeFile(path.join(control, 'control'), await filled('deb/control', values))
    await writeFile(path.join(control, 'conffiles'), configurationFiles.map(name => `${name}\n`).join(''))
    await writeFile(path.join(control, 'templates'), await filled('deb/templates', {}))
    for (const name of ['postinst', 'prerm', 'postrm']) {
      const script = await filled(`deb/${name}`, { account: await accountLines() })
      await writeFile(path.join(control, name), script, { mode: 0o755 })
    }
    const file = path.join(output, `lanthorn_${version}_${architecture}.deb`)
    // Three quarters of the size of level 1, for seven times its work; level 19 takes twenty minutes for little more.
    const how = ['-Zzstd', isQuick ? '-z1' : '-z9', '--root-owner-group', '--build']
    await must('build the .deb', run(tool, [...how, tree, file], { timeoutMs: buildMs }))
    return { file }
  } finally {
    await rm(control, { recursive: true })
  }
}

async function sums(tree: string): Promise<string> {
  let text = ''
  for (const name of await filesIn(tree)) {
    if (name.startsWith('DEBIAN/')) continue
    const sum = createHash('md5')
      .update(await readFile(path.join(tree, name)))
      .digest('hex')
    text += `${sum}  ${name}\n`
  }
  return text
}
