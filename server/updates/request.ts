/**
 * The files by which the server and the installing program (install-main.ts) talk. They may belong to two accounts: what the server writes is read by the
 * other one, which trusts nothing of it, and the other way round. Each writes only into folders of its own.
 */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import path from 'node:path'
import { UpdateFault } from './fault.ts'

/** In the data folder: what was fetched, and the request. */
export const FETCHED_FOLDER = 'updates'
const REQUEST_NAME = 'request.json'
const RESULT_NAME = 'result.json'
/** Both are a few lines. */
const BYTES_MAX = 16 * 1024

/** “Install this”, written by the server. */
export interface Request {
  /** Each request has its own; the result carries it back. */
  readonly id: string
  readonly version: string
  /** How the server was started, for an installing program that starts it again by itself. */
  readonly arguments: readonly string[]
}

/** What came of it, written by the installing program. */
export interface Result {
  readonly id: string
  /** `taken`: it is at work. */
  readonly state: 'taken' | 'done' | 'failed'
  readonly from: string
  readonly version: string
  /** Of the list of updates that was used: an older one is not taken any more. */
  readonly publishedAt: string
  /** What happened, for the administrator. */
  readonly sentence: string
  /** ISO 8601 */
  readonly at: string
}

export const requestFile = (dataDir: string): string => path.join(dataDir, FETCHED_FOLDER, REQUEST_NAME)
export const resultFile = (stateDir: string): string => path.join(stateDir, RESULT_NAME)

/** Undefined: there is none, or none that can be understood. */
export async function readRequest(dataDir: string): Promise<Request | undefined> {
  const found = await readJson(requestFile(dataDir))
  const { id, version, arguments: given = [] } = found ?? {}
  if (typeof id !== 'string' || !/^[\w.-]{1,100}$/.test(id) || typeof version !== 'string') return undefined
  if (!Array.isArray(given) || given.some(one => typeof one !== 'string')) return undefined
  return { id, version: version.slice(0, 40), arguments: given as string[] }
}

/** Undefined: nothing was ever installed, or it cannot be understood. */
export async function readResult(stateDir: string): Promise<Result | undefined> {
  const found = await readJson(resultFile(stateDir))
  if (!found) return undefined
  const { id, state, from, version, publishedAt, sentence, at } = found
  const isWhole = [id, from, version, publishedAt, sentence, at].every(one => typeof one === 'string')
  if (!isWhole || (state !== 'taken' && state !== 'done' && state !== 'failed')) return undefined
  return found as unknown as Result
}

async function readJson(file: string): Promise<Record<string, unknown> | undefined> {
  try {
    const value: unknown = JSON.parse((await readPlainFile(file, BYTES_MAX)).toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    // Not there, half written by another program, or a trap: as good as nothing.
    return undefined
  }
}

/**
 * Opens a file of another account: an ordinary one, and no link to somewhere else.
 * @throws UpdateFault; the error of the system
 */
export async function openPlainFile(file: string): Promise<FileHandle> {
  // Windows has neither; there both programs run under one account.
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants
  const handle = await open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  if ((await handle.stat()).isFile()) return handle
  await handle.close()
  throw new UpdateFault(`${file} is no ordinary file.`)
}

/** The whole of such a file. @throws UpdateFault when it is larger than that; the error of the system */
export async function readPlainFile(file: string, bytesMax: number): Promise<Buffer> {
  await using handle = await openPlainFile(file)
  const buffer = Buffer.alloc(bytesMax + 1)
  let length = 0
  for (;;) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length)
    length += bytesRead
    if (length > bytesMax) throw new UpdateFault(`${file} is larger than it can be.`)
    if (bytesRead === 0) return buffer.subarray(0, length)
  }
}
