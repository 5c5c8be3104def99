/**
 * What a feed publishes: a manifest (JSON) that names one version and its files, and beside it `<manifest>.sig`, an Ed25519 signature over its
 * exact bytes. Nothing of a manifest is looked at before the signature is right. Used by the server, by the installing program and by the
 * publisher, and imports nothing but Node, so that what runs with all rights stays small.
 */
import { createPublicKey, verify } from 'node:crypto'
import { UpdateFault } from './fault.ts'

/** Its name in a feed. */
export const MANIFEST_NAME = 'lanthorn-updates.json'
/** Behind the name of a manifest: its signature. */
export const SIGNATURE_ENDING = '.sig'
/** The publisher's public key, beside the program's package.json. Without it no update can be switched on. */
export const KEY_NAME = 'updates-key.pem'

export const MANIFEST_BYTES_MAX = 64 * 1024
/** Base64 of 64 bytes, and a line break. */
export const SIGNATURE_BYTES_MAX = 256
/** A whole program is a fifth of a gigabyte. */
export const FILE_BYTES_MAX = 1_500_000_000
const FILES_MAX = 32
const NOTES_MAX = 4_000

/** How a file is installed: `deb` and `rpm` by the system, `tar` by the program itself, `setup` by a person who runs it. */
export const kinds = ['deb', 'rpm', 'tar', 'setup'] as const
export type PackageKind = (typeof kinds)[number]

export interface ManifestFile {
  /** 'linux-x64', 'win-x64', 'darwin-arm64' */
  readonly target: string
  readonly kind: PackageKind
  /** A plain name: the file lies beside the manifest. */
  readonly name: string
  readonly bytes: number
  /** Of the file's contents, in lower-case hex. */
  readonly sha256: string
}

export interface Manifest {
  readonly format: 1
  /** '1.3.0' */
  readonly version: string
  /** ISO 8601 in UTC. An older manifest than the newest one seen is never taken. */
  readonly publishedAt: string
  /** What is new, for the administrator. */
  readonly notes: string
  /** The generation of the Hazelcast member it brings, '5.7'. */
  readonly hazelcast?: string
  readonly files: readonly ManifestFile[]
}

/**
 * Checks the signature, then reads the manifest.
 * @param key the publisher's public key, PEM
 * @throws UpdateFault
 */
export function openManifest(bytes: Buffer, signature: Buffer, key: string): Manifest {
  if (bytes.length > MANIFEST_BYTES_MAX) throw new UpdateFault('The list of updates is larger than such a list can be.')
  if (!isSignedBy(bytes, signature, key)) {
    throw new UpdateFault(
      'The list of updates is not signed by the makers of this Lanthorn: it was changed on the way, or belongs to another one. Nothing of it is used.',
    )
  }
  return readManifest(bytes.toString('utf8'))
}

function isSignedBy(bytes: Buffer, signature: Buffer, pem: string): boolean {
  const text = signature.toString('latin1').trim()
  if (signature.length > SIGNATURE_BYTES_MAX || !/^[A-Za-z0-9+/]{86}==$/.test(text)) return false
  const key = readKey(pem)
  return verify(null, bytes, key, Buffer.from(text, 'base64'))
}

/** @throws UpdateFault when it is no Ed25519 key */
export function readKey(pem: string): ReturnType<typeof createPublicKey> {
  try {
    const key = createPublicKey(pem)
    if (key.asymmetricKeyType === 'ed25519') return key
  } catch (cause) {
    throw new UpdateFault(`The file ${KEY_NAME} of this program holds no key: install Lanthorn again.`, { cause })
  }
  throw new UpdateFault(`The key in ${KEY_NAME} of this program is no Ed25519 key: install Lanthorn again.`)
}

/** @throws UpdateFault with what is wrong with it: a fault of the publisher, who has signed it */
export function readManifest(text: string): Manifest {
  const all = objectOf(parse(text), 'The list of updates')
  if (all.format !== 1) {
    throw new UpdateFault(
      'The list of updates is of a newer kind than this version can read: install the newer version by hand.',
    )
  }
  refuseUnknown(all, ['format', 'version', 'publishedAt', 'notes', 'hazelcast', 'files'], 'the list of updates')
  const { version, publishedAt, notes, hazelcast } = all
  const files = Array.isArray(all.files) ? all.files.map(readFile) : []
  demand(matches(version, /^\d{1,6}\.\d{1,6}\.\d{1,6}$/), 'version', 'three numbers, as in 1.3.0')
  demand(isMoment(publishedAt), 'publishedAt', 'a moment in UTC, as in 2026-11-22T10:04:00.000Z')
  demand(typeof notes === 'string' && notes.length <= NOTES_MAX, 'notes', `text of at most ${NOTES_MAX} characters`)
  if (hazelcast !== undefined) demand(matches(hazelcast, /^\d{1,3}\.\d{1,3}$/), 'hazelcast', 'two numbers, as in 5.7')
  demand(files.length >= 1 && files.length <= FILES_MAX, 'files', `a list of 1 to ${FILES_MAX} files`)
  const names = new Set(files.map(({ name }) => name.toLowerCase()))
  demand(names.size === files.length, 'files', 'a list of files with different names')
  const uses = new Set(files.map(({ target, kind }) => `${target} ${kind}`))
  demand(uses.size === files.length, 'files', 'a list with one file for each system and kind')
  return {
    format: 1,
    version: String(version),
    publishedAt: String(publishedAt),
    notes: String(notes),
    ...(hazelcast !== undefined && { hazelcast: String(hazelcast) }),
    files,
  }
}

function readFile(value: unknown): ManifestFile {
  const file = objectOf(value, 'A file in the list of updates')
  refuseUnknown(file, ['target', 'kind', 'name', 'bytes', 'sha256'], 'a file of the list of updates')
  const { target, name, bytes, sha256 } = file
  const kind = kinds.find(one => one === file.kind)
  demand(matches(target, /^[a-z0-9]{1,20}-[a-z0-9]{1,20}$/), 'target', 'a system and a processor, as in linux-x64')
  if (kind === undefined) throw wrong('kind', `one of ${kinds.join(', ')}`)
  // Nothing that leads to another folder, and nothing that a shell or a package manager takes for an option.
  demand(matches(name, /^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$/), 'name', 'the plain name of a file, without a folder')
  const isSize = Number.isSafeInteger(bytes) && Number(bytes) > 0 && Number(bytes) <= FILE_BYTES_MAX
  demand(isSize, 'bytes', `a whole number from 1 to ${FILE_BYTES_MAX}`)
  demand(matches(sha256, /^[0-9a-f]{64}$/), 'sha256', '64 digits from 0 to 9 and a to f')
  return { target: String(target), kind, name: String(name), bytes: Number(bytes), sha256: String(sha256) }
}

/** The file for a system and a way to install; undefined: there is none. */
export function fileFor({ files }: Manifest, target: string, kind: PackageKind): ManifestFile | undefined {
  return files.find(file => file.target === target && file.kind === kind)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new UpdateFault('The list of updates cannot be read: it is no JSON.', { cause })
  }
}

function objectOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new UpdateFault(`${what} cannot be read: it is no object.`)
}

function refuseUnknown(object: object, known: readonly string[], where: string): void {
  const unknown = Object.keys(object).find(key => !known.includes(key))
  if (unknown !== undefined) throw new UpdateFault(`There is an unknown “${unknown.slice(0, 60)}” in ${where}.`)
}

const matches = (value: unknown, pattern: RegExp): boolean => typeof value === 'string' && pattern.test(value)

function isMoment(value: unknown): boolean {
  if (!matches(value, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/)) return false
  return !Number.isNaN(Date.parse(String(value)))
}

function demand(isRight: boolean, part: string, what: string): void {
  if (!isRight) throw wrong(part, what)
}

const wrong = (part: string, what: string): UpdateFault =>
  new UpdateFault(`“${part}” in the list of updates must be ${what}.`)
