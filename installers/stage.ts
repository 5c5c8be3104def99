/**
 * Puts everything that the installed server needs into one folder (DESIGN section 2), for any target on any computer: the bundled server and
 * the admin pages, Node, PostgreSQL, Java, Hazelcast, all licences, the bill of materials and the manifest.
 */
import { existsSync } from 'node:fs'
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { KEY_NAME } from '../server/updates/manifest.ts'
import { bundleServer } from './bundle.ts'
import { type BundledPackage, packagesOfPages } from './packages.ts'
import { stageHazelcast } from './parts/hazelcast.ts'
import { stageJava } from './parts/java.ts'
import { stageNode } from './parts/node.ts'
import type { Part } from './parts/part.ts'
import { stagePostgres } from './parts/postgres.ts'
import { strip } from './parts/strip.ts'
import { billOfMaterials } from './sbom.ts'
import { root } from './set-up.mjs'
import type { Target } from './targets.ts'

/** What runtime/runtime.json holds. Where it stands the server knows that it is installed (server/places.ts). */
export interface RuntimeManifest {
  readonly version: string
  /** 'linux-x64' */
  readonly target: string
  readonly parts: readonly Omit<Part, 'purl' | 'contains'>[]
}

export interface StageOptions {
  readonly target: Target
  /** Made anew. */
  readonly folder: string
  /** Of the program. */
  readonly version: string
  /** Parts of the program that are not in this folder. */
  readonly around?: readonly Part[]
}

/** Fills `folder`, the later resources/runtime. @throws Error with a sentence when a part cannot be had, or is not what was pinned */
export async function stage({ target, folder, version, around = [] }: StageOptions): Promise<RuntimeManifest> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(path.join(folder, 'licences'), { recursive: true })
  const bundled = [...(await bundleServer(path.join(folder, 'server'))), ...(await stagePages(folder))]
  const parts = await Promise.all([
    ...around,
    stageNode(target, folder),
    stagePostgres(target, folder),
    stageJava(target, folder),
    stageHazelcast(folder),
  ])
  await strip(target, folder)
  const manifest = {
    version,
    target: target.name,
    parts: parts.map(({ purl, contains, ...part }) => part),
  }
  const unique = uniquePackages(bundled)
  await writeLicences(path.join(folder, 'licences'), unique)
  await writeJson(path.join(folder, 'sbom.json'), billOfMaterials(version, parts, unique))
  const about = { name: 'lanthorn', version, license: 'MIT', private: true, type: 'module' }
  await writeJson(path.join(folder, 'package.json'), about)
  // Without the publisher's key this program takes no updates, and says so.
  const key = path.join(root, KEY_NAME)
  if (existsSync(key)) await cp(key, path.join(folder, KEY_NAME))
  await writeJson(path.join(folder, 'runtime.json'), manifest)
  return manifest
}

/** Of package.json. */
export async function programVersion(): Promise<string> {
  const about = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as { version: string }
  return about.version
}

async function stagePages(folder: string): Promise<BundledPackage[]> {
  const from = path.join(root, 'ui', 'dist')
  const packages = await packagesOfPages()
  await cp(from, path.join(folder, 'ui'), { recursive: true, filter: name => path.basename(name) !== '.vite' })
  return packages
}

function uniquePackages(packages: readonly BundledPackage[]): BundledPackage[] {
  const byName = new Map(packages.map(one => [`${one.name}@${one.version}`, one]))
  return [...byName.keys()].sort().flatMap(name => byName.get(name) ?? [])
}

/** One file a package; the program's own licence on top. */
async function writeLicences(folder: string, packages: readonly BundledPackage[]): Promise<void> {
  await cp(path.join(root, 'LICENSE'), path.join(folder, 'LICENSE'))
  await mkdir(path.join(folder, 'npm'), { recursive: true })
  for (const { name, version, licence, text } of packages) {
    const file = path.join(folder, 'npm', `${name.replace('/', '+')}-${version}.txt`)
    const nothing = `The package carries no text; its package.json says: ${licence}.`
    await writeFile(file, `${name} ${version}: ${licence}\n\n${text ?? nothing}\n`)
  }
}

async function writeJson(file: string, content: object): Promise<void> {
  await writeFile(file, `${JSON.stringify(content, undefined, 2)}\n`)
}
