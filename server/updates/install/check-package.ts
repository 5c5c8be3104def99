/** What the server has fetched is copied to where only this program writes, and only then looked at: nobody can change it afterwards. */
import { createHash } from 'node:crypto'
import { chmod, mkdir, open, rm, stat, statfs } from 'node:fs/promises'
import path from 'node:path'
import { areNeighbours, isNewer } from '../../versions.ts'
import { UpdateFault } from '../fault.ts'
import {
  fileFor,
  KEY_NAME,
  MANIFEST_BYTES_MAX,
  MANIFEST_NAME,
  type Manifest,
  type ManifestFile,
  openManifest,
  SIGNATURE_BYTES_MAX,
  SIGNATURE_ENDING,
} from '../manifest.ts'
import type { Program } from '../program.ts'
import { openPlainFile, readPlainFile } from '../request.ts'

const CHUNK_BYTES = 1024 * 1024
/** Unpacked, and beside it the old files until they are not needed any more. */
const ROOM_FACTOR = 4

export interface Checked {
  readonly manifest: Manifest
  /** The copy of the package. */
  readonly file: string
}

/**
 * Takes the fetched list and package over, and checks them.
 * @param options.from where they were fetched to @param options.to a folder that nobody else may read; made anew
 * @param options.newestSeen `publishedAt` of the newest list that was ever used
 * @throws UpdateFault
 */
export async function checkPackage(options: {
  program: Program
  wanted: string
  from: string
  to: string
  newestSeen: string
}): Promise<Checked> {
  const { program, wanted, from, to, newestSeen } = options
  const { key, kind, target } = program
  if (key === undefined) throw new UpdateFault('This program came without the key of its makers: it takes no updates.')
  if (kind === undefined || kind === 'setup') throw new UpdateFault('A person has to run the set-up on this PC.')
  await mustBeKept(path.join(program.folder, KEY_NAME))
  await rm(to, { recursive: true, force: true })
  await mkdir(to, { recursive: true, mode: 0o700 })
  await chmod(to, 0o700)
  const list = path.join(from, MANIFEST_NAME)
  const bytes = await readPlainFile(list, MANIFEST_BYTES_MAX)
  const signature = await readPlainFile(`${list}${SIGNATURE_ENDING}`, SIGNATURE_BYTES_MAX)
  const manifest = openManifest(bytes, signature, key)
  const { version, publishedAt } = manifest
  if (version !== wanted) throw new UpdateFault(`Version ${wanted} was asked for, but the list names ${version}.`)
  refuseOld(program.version, manifest)
  if (publishedAt < newestSeen)
    throw new UpdateFault(`The list of ${publishedAt} is older than one that was used already: it is not used.`)
  const found = fileFor(manifest, target, kind)
  if (!found) throw new UpdateFault(`Version ${version} has no ${kind} package for ${target}.`)
  await mustHaveRoom(to, found.bytes)
  await mustHaveRoom(path.dirname(program.folder), found.bytes * ROOM_FACTOR)
  const file = path.join(to, found.name)
  await takeOver(path.join(from, found.name), file, found)
  return { manifest, file }
}

/** Never back to an older version, and never so far that the present one could not come back to the database of the new one. @throws UpdateFault */
export function refuseOld(present: string, { version }: Pick<Manifest, 'version'>): void {
  if (!isNewer(version, present)) throw new UpdateFault(`Version ${version} is not newer than ${present}, which runs.`)
  if (areNeighbours(version, present)) return
  throw new UpdateFault(
    `Version ${version} is too far from ${present}: there would be no way back. Install a version in between first.`,
  )
}

/** The key decides what may be installed: who could change it could install anything. @throws UpdateFault */
async function mustBeKept(keyFile: string): Promise<void> {
  if (process.platform === 'win32') return
  const { uid, mode } = await stat(keyFile)
  const own = process.geteuid?.()
  if ((uid === own || uid === 0) && (mode & 0o022) === 0) return
  throw new UpdateFault(`Others may write to ${keyFile}: install Lanthorn again.`)
}

async function mustHaveRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize >= bytes) return
  throw new UpdateFault(`The disk is too full to install: ${Math.ceil(bytes / 1e6)} MB are needed in ${folder}.`)
}

async function takeOver(from: string, to: string, { name, bytes, sha256 }: ManifestFile): Promise<void> {
  await using source = await openPlainFile(from)
  await using copy = await open(to, 'wx', 0o600)
  const hash = createHash('sha256')
  const buffer = Buffer.alloc(CHUNK_BYTES)
  let length = 0
  for (;;) {
    const { bytesRead } = await source.read(buffer, 0, buffer.length)
    if (bytesRead === 0) break
    length += bytesRead
    if (length > bytes) throw new UpdateFault(`The file ${name} is larger than the list of updates says.`)
    const chunk = buffer.subarray(0, bytesRead)
    hash.update(chunk)
    await copy.writeFile(chunk)
  }
  if (length !== bytes || hash.digest('hex') !== sha256)
    throw new UpdateFault(`The file ${name} is not the one that the list of updates names.`)
  await copy.sync()
}
