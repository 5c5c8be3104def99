/** The packages of npm that are part of bundles: for the SBOM and the licences. */
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { root } from './set-up.mjs'

/** A package whose code is in a bundle. */
export interface BundledPackage {
  readonly name: string
  readonly version: string
  /** SPDX expression. */
  readonly licence: string
  /** Of its licence; absent: the package carries none. */
  readonly text?: string
}

const licenceFile = /^(licen[cs]e|copying)/i

/** The packages that modules of a bundle come from, each once. */
export async function packagesOf(modules: readonly string[]): Promise<BundledPackage[]> {
  const folders = new Set(modules.flatMap(module => packageFolder(module) ?? []))
  return await Promise.all([...folders].sort().map(readPackage))
}

/** The packages in the built admin pages, which their build lists (ui/vite.config.ts). @throws Error when they are not built */
export async function packagesOfPages(): Promise<BundledPackage[]> {
  const list = path.join(root, 'ui', 'dist', '.vite', 'licences.json')
  if (!existsSync(list)) throw new Error('The admin pages are not built: run npm run build.')
  const found = JSON.parse(await readFile(list, 'utf8')) as {
    name: string
    version: string
    identifier?: string
    text?: string
  }[]
  return found.map(({ name, version, identifier, text }) => ({
    name,
    version,
    licence: identifier ?? 'NOASSERTION',
    ...(text !== undefined && { text }),
  }))
}

/** '…/node_modules/@scope/name/lib/file.js' → '…/node_modules/@scope/name' */
function packageFolder(module: string): string | undefined {
  return /^(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)[\\/]/.exec(module)?.[1]
}

async function readPackage(folder: string): Promise<BundledPackage> {
  const about = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8')) as {
    name: string
    version: string
    license?: string
  }
  const file = (await readdir(folder)).find(name => licenceFile.test(name))
  const text = file === undefined ? undefined : (await readFile(path.join(folder, file), 'utf8')).trim()
  const { name, version, license: licence = 'NOASSERTION' } = about
  return { name, version, licence, ...(text !== undefined && { text }) }
}
