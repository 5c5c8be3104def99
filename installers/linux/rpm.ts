/** The .rpm for Fedora, Red Hat, openSUSE and what comes from them. */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { aptInstall, onPath } from '../apt.mjs'
import { must } from '../parts/fetch.ts'
import { run } from '../set-up.mjs'
import { accountLines, filled, glibcOf, type PackageOptions } from './package.ts'

const buildMs = 15 * 60_000

/** @returns the finished file, or why there is none */
export async function makeRpm({
  target,
  version,
  tree,
  output,
  isQuick,
}: PackageOptions): Promise<{ file: string } | string> {
  const find = () => onPath(['rpmbuild'])
  const tool = find() ?? ((await aptInstall(['rpm'])) ? find() : undefined)
  if (tool === undefined) return 'rpmbuild is not here (package rpm, or rpm-build)'
  const architecture = target.arch === 'x64' ? 'x86_64' : 'aarch64'
  const work = `${tree}.rpm`
  await mkdir(work, { recursive: true })
  try {
    const payload = isQuick ? 'w1.zstdio' : 'w9.zstdio'
    const values = { version, tree, payload, glibc: await glibcOf(tree), account: await accountLines() }
    const spec = path.join(work, 'lanthorn.spec')
    await writeFile(spec, await filled('rpm/lanthorn.spec', values))
    const folders = ['--define', `_topdir ${work}`, '--define', `_rpmdir ${work}`]
    const args = [...folders, '--target', `${architecture}-linux`, '-bb', spec]
    await must('build the .rpm', run(tool, args, { timeoutMs: buildMs }))
    const name = `lanthorn-${version}-1.${architecture}.rpm`
    await rename(path.join(work, architecture, name), path.join(output, name))
    return { file: path.join(output, name) }
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
