/** A publisher of updates: keys, lists, signatures, and small programs that are packaged as the real one is. */
import { execFile } from 'node:child_process'
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { chmod, cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import {
  KEY_NAME,
  MANIFEST_NAME,
  type Manifest,
  type ManifestFile,
  type PackageKind,
  SIGNATURE_ENDING,
} from '../../server/updates/manifest.ts'

const run = promisify(execFile)
const server = fileURLToPath(new URL('small-server.mjs', import.meta.url))

export interface Keys {
  readonly privateKey: KeyObject
  /** PEM */
  readonly publicKey: string
}

export function newKeys(): Keys {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return { privateKey, publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString() }
}

/** The target of this computer. */
export const here = `${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`

/** A list of updates with one file that nobody has. */
export function aManifest(changes: Partial<Manifest> = {}): Manifest {
  const sha256 = createHash('sha256').update('').digest('hex')
  return {
    format: 1,
    version: '0.2.0',
    publishedAt: '2026-11-20T10:00:00.000Z',
    notes: 'Rooms load at once.',
    files: [{ target: here, kind: 'deb', name: 'lanthorn.deb', bytes: 1, sha256 }],
    ...changes,
  }
}

/** What stands in a list about a file. */
export async function aFile(file: string, kind: PackageKind): Promise<ManifestFile> {
  const bytes = await readFile(file)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return { target: here, kind, name: path.basename(file), bytes: bytes.length, sha256 }
}

/** The bytes of a list and of its signature. */
export function signed(manifest: unknown, { privateKey }: Keys): { bytes: Buffer; signature: Buffer } {
  const bytes = Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`)
  return { bytes, signature: Buffer.from(`${sign(null, bytes, privateKey).toString('base64')}\n`) }
}

/** Puts a list and its signature into a folder: a feed, or where the server fetches to. */
export async function publish(folder: string, manifest: unknown, keys: Keys): Promise<void> {
  const { bytes, signature } = signed(manifest, keys)
  await mkdir(folder, { recursive: true })
  await writeFile(path.join(folder, MANIFEST_NAME), bytes)
  await writeFile(path.join(folder, `${MANIFEST_NAME}${SIGNATURE_ENDING}`), signature)
}

export interface SmallProgram {
  readonly version: string
  readonly kind: PackageKind
  readonly keys: Keys
  /** People cannot log in, ever. */
  readonly isBroken?: boolean
}

/** Lays a small program out as an installed one. @param top its folder */
export async function layOut(top: string, { version, kind, keys, isBroken = false }: SmallProgram): Promise<void> {
  const parts = path.join(top, 'resources', 'runtime')
  await mkdir(path.join(parts, 'server'), { recursive: true })
  await writeFile(path.join(top, 'resources', 'package-type'), kind)
  await writeFile(path.join(parts, 'package.json'), JSON.stringify({ name: 'lanthorn', version, type: 'module' }))
  await writeFile(path.join(parts, KEY_NAME), keys.publicKey, { mode: 0o644 })
  await writeFile(path.join(parts, `only-in-${version}`), '')
  if (isBroken) await writeFile(path.join(parts, 'broken'), '')
  await cp(server, path.join(parts, 'server', 'main.js'))
  await mkdir(path.join(parts, 'node', 'bin'), { recursive: true })
  await writeFile(path.join(parts, 'node', 'bin', 'node'), `#!/bin/sh\nexec ${process.execPath} "$@"\n`)
  await chmod(path.join(parts, 'node', 'bin', 'node'), 0o755)
}

/** Packs a small program as a .deb that installs it at /opt/lanthorn. @returns the package */
export async function packDeb(folder: string, program: SmallProgram, depends?: string): Promise<string> {
  const { version } = program
  const tree = path.join(folder, `deb-${version}`)
  await layOut(path.join(tree, 'opt', 'lanthorn'), program)
  await mkdir(path.join(tree, 'DEBIAN'), { recursive: true })
  const lines = [
    'Package: lanthorn',
    `Version: ${version}`,
    'Architecture: all',
    'Maintainer: Nobody <nobody@office.test>',
    ...(depends === undefined ? [] : [`Depends: ${depends}`]),
    'Description: A program of a few lines',
  ]
  await writeFile(path.join(tree, 'DEBIAN', 'control'), `${lines.join('\n')}\n`)
  const file = path.join(folder, `lanthorn_${version}_all.deb`)
  await run('dpkg-deb', ['--root-owner-group', '-Znone', '--build', tree, file])
  return file
}

/** Packs a small program as an .rpm that installs it at /opt/lanthorn. @returns the package */
export async function packRpm(folder: string, program: SmallProgram): Promise<string> {
  const { version } = program
  const tree = path.join(folder, `rpm-${version}`)
  await layOut(path.join(tree, 'opt', 'lanthorn'), program)
  const spec = path.join(folder, `lanthorn-${version}.spec`)
  const lines = [
    ...['Name: lanthorn', `Version: ${version}`, 'Release: 1', 'Summary: A program of a few lines', 'License: MIT'],
    ...['BuildArch: noarch', 'AutoReqProv: no', '%global __os_install_post %{nil}', '%description', 'A program.'],
    ...['%install', `cp -a ${tree}/. %{buildroot}/`, '%files', '%defattr(-,root,root,-)', '/opt/lanthorn'],
  ]
  await writeFile(spec, `${lines.join('\n')}\n`)
  const where = ['--define', `_topdir ${path.join(folder, 'build')}`, '--define', `_rpmdir ${folder}`]
  await run('rpmbuild', ['-bb', ...where, '--define', '_rpmfilename %{NAME}-%{VERSION}.rpm', spec])
  return path.join(folder, `lanthorn-${version}.rpm`)
}

/** Packs a small program as an archive with one folder in it. @returns the archive */
export async function packTar(folder: string, program: SmallProgram): Promise<string> {
  const name = `lanthorn-${program.version}`
  await layOut(path.join(folder, name), program)
  const file = path.join(folder, `${name}-linux-x64.tar.gz`)
  await run('tar', ['-czf', file, '-C', folder, name])
  return file
}
