/** What a backup says of itself: `manifest.json`, written last, sealed with a hash, read before anything else is touched. */
import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { BackupFault, reasonOf } from './fault.ts'

/** The format that this version writes, and the newest it reads. */
export const FORMAT = 1
export const MANIFEST = 'manifest.json'
const MANIFEST_BYTES_MAX = 4_000_000

const hash = Type.String({ pattern: '^[0-9a-f]{64}$' })
const fileName = Type.String({ pattern: '^(tables/)?[a-z0-9_.-]{1,100}$' })

/** A file of the backup besides the manifest. */
const BackupFile = Type.Object({ file: fileName, bytes: Type.Integer({ minimum: 0 }), sha256: hash })
/** Static of {@link BackupFile}. */
export type BackupFile = Static<typeof BackupFile>

/** A table: its file is gzip of COPY's text format (PostgreSQL manual, COPY) with the columns in this order. */
const BackupTable = Type.Object({
  name: Type.String({ pattern: '^[a-z_][a-z0-9_]{0,62}$' }),
  columns: Type.Array(Type.String({ minLength: 1, maxLength: 63 }), { maxItems: 200 }),
  rows: Type.Integer({ minimum: 0 }),
  fingerprint: Type.String({ maxLength: 200 }),
  file: fileName,
})
/** Static of {@link BackupTable}. */
export type BackupTable = Static<typeof BackupTable>

/** What `manifest.json` holds. */
export const Manifest = Type.Object({
  format: Type.Literal(FORMAT),
  /** For whoever opens the file. */
  note: Type.String(),
  lanthorn: Type.String(),
  office: Type.String(),
  domain: Type.String({ minLength: 1 }),
  node: Type.String(),
  madeAt: Type.String({ format: 'date-time' }),
  postgresql: Type.String(),
  /** The one snapshot that all tables are from. */
  snapshot: Type.String(),
  /** What the database took on its disk: so much room a restore needs. */
  databaseBytes: Type.Number({ minimum: 0 }),
  migrations: Type.Array(Type.Object({ feature: Type.String(), number: Type.Integer({ minimum: 1 }) })),
  tables: Type.Array(BackupTable, { maxItems: 1_000 }),
  people: Type.Integer(),
  messages: Type.Integer(),
  files: Type.Array(BackupFile, { maxItems: 1_001 }),
})
/** Static of {@link Manifest}. */
export type Manifest = Static<typeof Manifest>

/** The text of a manifest, with its seal: a hash over all the rest, so that a changed letter is found. */
export function printManifest(manifest: Manifest): string {
  return `${JSON.stringify({ ...manifest, seal: sealOf(manifest) }, undefined, 2)}\n`
}

/**
 * Reads the manifest of a backup folder.
 * @throws BackupFault naming the folder: not a backup, of a newer version, damaged
 */
export async function readManifest(folder: string): Promise<Manifest> {
  const file = path.join(folder, MANIFEST)
  let parsed: unknown
  try {
    const { size } = await stat(file)
    if (size > MANIFEST_BYTES_MAX) throw new Error(`it has ${size} bytes`)
    parsed = JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    if (isMissing(error)) {
      throw new BackupFault(`${folder} is not a backup: there is no ${MANIFEST} in it. Name the folder of one backup.`)
    }
    throw new BackupFault(`The file ${file} is damaged or cannot be read (${reasonOf(error)}): take another backup.`)
  }
  const { format, lanthorn } = (parsed ?? {}) as { format?: unknown; lanthorn?: unknown }
  if (typeof format === 'number' && format > FORMAT) {
    throw new BackupFault(
      `The backup ${folder} was made by a newer Lanthorn (${lanthorn}, format ${format}; this one reads ${FORMAT}): install that version and restore it there.`,
    )
  }
  const { seal, ...manifest } = (parsed ?? {}) as Record<string, unknown>
  if (!Value.Check(Manifest, manifest) || seal !== sealOf(manifest)) {
    throw new BackupFault(`The file ${file} is damaged (its contents do not fit its seal): take another backup.`)
  }
  return manifest
}

function sealOf(manifest: object): string {
  return createHash('sha256').update(JSON.stringify(manifest)).digest('hex')
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
