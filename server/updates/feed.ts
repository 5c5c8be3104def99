/** Where updates come from: a folder on the web or in the office network (http, https), or a folder or share of this PC's file system. Nothing of it is trusted. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { UpdateFault } from './fault.ts'
import {
  MANIFEST_BYTES_MAX,
  MANIFEST_NAME,
  type ManifestFile,
  SIGNATURE_BYTES_MAX,
  SIGNATURE_ENDING,
} from './manifest.ts'

const REDIRECTS_MAX = 5

/** How long is waited, in milliseconds. */
export interface FeedTimes {
  /** For the whole list of updates. */
  readonly listMs: number
  /** For the next bytes of a file. */
  readonly silenceMs: number
  /** For a whole file. */
  readonly fileMs: number
}
const usualTimes: FeedTimes = { listMs: 30_000, silenceMs: 60_000, fileMs: 2 * 60 * 60_000 }

/** Why a feed cannot be used, as a sentence; undefined: it can. An empty one means that nobody looks for updates. */
export function feedTrouble(feed: string): string | undefined {
  if (feed === '' || path.isAbsolute(feed)) return undefined
  const example = process.platform === 'win32' ? '\\\\SERVER\\lanthorn' : '/mnt/lanthorn'
  const wanted = `give an address that begins with https:// or http://, or a whole path as in ${example}`
  if (!URL.canParse(feed)) return `“${feed}” is no place of updates: ${wanted}.`
  const { protocol, username, search, hash } = new URL(feed)
  if (protocol !== 'https:' && protocol !== 'http:') return `“${feed}” is no place of updates: ${wanted}.`
  if (username !== '')
    return 'A place of updates has no user name in its address: everything there is signed, not secret.'
  return search === '' && hash === '' ? undefined : 'A place of updates is a folder: its address has no ? and no #.'
}

/** A feed that can be read. */
export class Feed {
  readonly #place: string
  readonly #times: FeedTimes
  readonly #signal: AbortSignal

  /** @param feed one without {@link feedTrouble} @param signal ends what is under way */
  constructor(feed: string, signal: AbortSignal, times: Partial<FeedTimes> = {}) {
    this.#place = feed
    this.#signal = signal
    this.#times = { ...usualTimes, ...times }
  }

  /** The list of updates and its signature, as they are. @throws UpdateFault */
  async list(): Promise<{ bytes: Buffer; signature: Buffer }> {
    const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(this.#times.listMs)])
    const bytes = await this.#read(MANIFEST_NAME, MANIFEST_BYTES_MAX, signal)
    const signature = await this.#read(`${MANIFEST_NAME}${SIGNATURE_ENDING}`, SIGNATURE_BYTES_MAX, signal)
    return { bytes, signature }
  }

  /**
   * Fetches a file; it is under its name only when it is whole and what the list says.
   * @throws UpdateFault
   */
  async fetch(file: ManifestFile, to: string, onBytes: (bytes: number) => void = () => undefined): Promise<void> {
    const quiet = new AbortController()
    const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(this.#times.fileMs), quiet.signal])
    const silence = setTimeout(() => quiet.abort(), this.#times.silenceMs)
    const part = `${to}.part`
    const handle = await open(part, 'w', 0o600)
    try {
      const hash = createHash('sha256')
      let bytes = 0
      for await (const chunk of this.#chunks(file.name, signal)) {
        silence.refresh()
        bytes += chunk.length
        if (bytes > file.bytes) throw new UpdateFault(`The file ${file.name} is larger than the list of updates says.`)
        hash.update(chunk)
        await handle.writeFile(chunk)
        onBytes(bytes)
      }
      if (bytes < file.bytes)
        throw new UpdateFault(`The file ${file.name} ended after ${bytes} of ${file.bytes} bytes.`)
      if (hash.digest('hex') !== file.sha256)
        throw new UpdateFault(`The file ${file.name} is not the one that the list of updates names. It is not used.`)
      await handle.sync()
      await handle.close()
      await rename(part, to)
    } catch (error) {
      await handle.close()
      await rm(part, { force: true })
      throw this.#faultOf(error, file.name, signal)
    } finally {
      clearTimeout(silence)
    }
  }

  async #read(name: string, bytesMax: number, signal: AbortSignal): Promise<Buffer> {
    const chunks: Buffer[] = []
    let bytes = 0
    try {
      for await (const chunk of this.#chunks(name, signal)) {
        bytes += chunk.length
        if (bytes > bytesMax) throw new UpdateFault(`The file ${name} is larger than such a file can be.`)
        chunks.push(chunk)
      }
    } catch (error) {
      throw this.#faultOf(error, name, signal)
    }
    return Buffer.concat(chunks)
  }

  #chunks(name: string, signal: AbortSignal): AsyncIterable<Buffer> {
    return path.isAbsolute(this.#place)
      ? chunksOfFile(path.join(this.#place, name), signal)
      : chunksOfUrl(new URL(name, `${this.#place.replace(/\/+$/, '')}/`), signal)
  }

  #faultOf(error: unknown, name: string, signal: AbortSignal): unknown {
    if (error instanceof UpdateFault || this.#signal.aborted) return error
    if (signal.aborted) return new UpdateFault(`${this.#place} took too long with the file ${name}.`)
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return new UpdateFault(`There is no file ${name} in ${this.#place}.`)
    if (code === 'ENOSPC') return new UpdateFault('The disk of this PC is full: make room for the update.')
    return new UpdateFault(`${this.#place} cannot be reached: ${whyOf(error)}.`)
  }
}

async function* chunksOfFile(file: string, signal: AbortSignal): AsyncIterable<Buffer> {
  // A share that hangs would hold up whoever waits for it: the signal is heard here, the system's own call ends when it can.
  const found = await orAborted(stat(file), signal)
  if (!found.isFile()) throw new UpdateFault(`${file} is no file.`)
  for await (const chunk of createReadStream(file, { signal })) yield chunk as Buffer
}

async function* chunksOfUrl(url: URL, signal: AbortSignal): AsyncIterable<Buffer> {
  const response = await followed(url, signal)
  if (response.status === 404) throw new UpdateFault(`There is no file at ${url.href}.`)
  if (response.status !== 200 || !response.body)
    throw new UpdateFault(`The server of ${url.href} answered with ${response.status} instead of the file.`)
  for await (const chunk of response.body) yield Buffer.from(chunk)
}

/** From an encrypted place never to an unencrypted one: nobody on the way need know what is fetched. */
async function followed(from: URL, signal: AbortSignal): Promise<Response> {
  let url = from
  for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects++) {
    const response = await fetch(url, { signal, redirect: 'manual', headers: { accept: '*/*' } })
    const location = response.headers.get('location')
    if (response.status < 300 || response.status > 399 || location === null) return response
    await response.body?.cancel()
    const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined
    const isFine = next?.protocol === 'https:' || (next?.protocol === 'http:' && url.protocol === 'http:')
    if (!next || !isFine) throw new UpdateFault(`The server of ${from.href} sends to a place that is not used.`)
    url = next
  }
  throw new UpdateFault(`The server of ${from.href} sends from one place to the next without end.`)
}

function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    work.then(resolve, reject)
  })
}

/** fetch says “fetch failed” and keeps the reason behind it. */
function whyOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof Error ? error.cause : error
  const { code } = cause as NodeJS.ErrnoException
  const reasons: Record<string, string> = {
    ECONNREFUSED: 'nothing answers there',
    ENOTFOUND: 'its name is not known',
    EAI_AGAIN: 'its name is not known at the moment',
    EACCES: 'this program may not read there',
    ECONNRESET: 'it broke off',
  }
  return reasons[code ?? ''] ?? (cause.message.replace(/[.!?]$/, '') || error.message)
}
