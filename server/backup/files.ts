/** The files of a backup: written as streams, hashed on the way, on disk when they are said to be; and read the same way. */
import { createHash, type Hash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { open, rename, stat } from 'node:fs/promises'
import path from 'node:path'
import { type Readable, Transform, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import { syncFolder } from '../durable-file.ts'
import { BackupFault, reasonOf } from './fault.ts'
import type { BackupFile, Manifest } from './manifest.ts'

const LINE_END = 10

/** What goes on while rows are read or written. */
export interface Watch {
  readonly signal: AbortSignal
  /** Called with how many rows have passed since the last call. */
  onRows(count: number): void
}

/**
 * Writes one table's rows, packed.
 * @param rows PostgreSQL's text format for COPY
 * @throws BackupFault when the folder does not take it; what the source throws
 */
export async function writeRows(folder: string, file: string, rows: Readable, watch: Watch): Promise<BackupFile> {
  const hash = createHash('sha256')
  const passed = { bytes: 0 }
  const target = createWriteStream(path.join(folder, file), { flags: 'wx', mode: 0o600, flush: true })
  try {
    await pipeline(rows, countLines(watch), createGzip(), weigh(hash, passed), target, { signal: watch.signal })
  } catch (error) {
    throw target.errored ? new BackupFault(`${folder} cannot be written: ${reasonOf(target.errored)}.`) : error
  }
  return { file, bytes: passed.bytes, sha256: hash.digest('hex') }
}

/**
 * Writes a small file: beside its place first, on disk, then moved there. Unlike the files of the data folder its rights are not changed
 * afterwards, which disks with FAT and some shares refuse.
 */
export async function writeSmall(file: string, content: string): Promise<void> {
  const next = `${file}.new`
  const handle = await open(next, 'w', 0o600)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(next, file)
  await settleFolder(path.dirname(file))
}

/** Makes new names in a folder durable, where the disk or share can do that. */
export async function settleFolder(folder: string): Promise<void> {
  try {
    await syncFolder(folder)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // Shares and some file systems know no such call for folders; they write names by themselves.
    if (!['EINVAL', 'ENOTSUP', 'EPERM', 'EACCES', 'EBADF', 'EISDIR', 'ENOSYS'].includes(code ?? '')) throw error
  }
}

/** Unpacks one table's rows into `target`. */
export async function readRows(folder: string, file: string, target: Writable, watch: Watch): Promise<void> {
  const { signal } = watch
  await pipeline(createReadStream(path.join(folder, file)), createGunzip(), countLines(watch), target, { signal })
}

/**
 * Reads every file and compares it with the manifest; nothing else is touched.
 * @throws BackupFault naming the first file that is missing, cut short or changed
 */
export async function checkFiles(folder: string, manifest: Manifest, watch: Omit<Watch, 'onRows'>): Promise<void> {
  // Sizes first: what is missing or cut short is found at once.
  for (const known of manifest.files) await checkSize(folder, known)
  for (const { file, sha256 } of manifest.files) {
    const hash = createHash('sha256')
    const name = path.join(folder, file)
    try {
      await pipeline(createReadStream(name), hash, { signal: watch.signal })
    } catch (error) {
      watch.signal.throwIfAborted()
      throw new BackupFault(`The file ${name} of the backup cannot be read: ${reasonOf(error)}.`)
    }
    if (hash.digest('hex') !== sha256) {
      throw new BackupFault(
        `The file ${name} of the backup is damaged (its contents have changed): take another backup.`,
      )
    }
  }
}

async function checkSize(folder: string, { file, bytes }: BackupFile): Promise<void> {
  const name = path.join(folder, file)
  let size: number
  try {
    size = (await stat(name)).size
  } catch (error) {
    throw new BackupFault(`The file ${name} of the backup cannot be read: ${reasonOf(error)}. Take another backup.`)
  }
  if (size === bytes) return
  const how = size < bytes ? 'is cut short' : 'is damaged'
  throw new BackupFault(
    `The file ${name} of the backup ${how} (${size} bytes instead of ${bytes}): take another backup.`,
  )
}

/** COPY's text format has one line for each row; a line end inside a value is written as `\n`. */
function countLines({ onRows }: Watch): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      let lines = 0
      for (let at = chunk.indexOf(LINE_END); at >= 0; at = chunk.indexOf(LINE_END, at + 1)) lines++
      if (lines > 0) onRows(lines)
      done(undefined, chunk)
    },
  })
}

function weigh(hash: Hash, passed: { bytes: number }): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      passed.bytes += chunk.length
      done(undefined, chunk)
    },
  })
}
