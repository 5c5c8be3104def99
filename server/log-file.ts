/** A log file that never fills the disk: when it is full it is moved aside, and the oldest of those moved aside goes. */
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, write, writeSync } from 'node:fs'
import path from 'node:path'

export interface LogFileLimits {
  /** Most bytes of one file. */
  fileBytesMax: number
  /** Most files that were moved aside (name.1.log is the newest). */
  olderFilesMax: number
  /** Most bytes that wait for a slow disk; what does not fit is left out and counted. */
  waitingBytesMax: number
}

const defaults: LogFileLimits = { fileBytesMax: 5_000_000, olderFilesMax: 4, waitingBytesMax: 2_000_000 }

/** Appends lines without making anybody wait for the disk. A disk that is full or gone costs lines, never the server. */
export class LogFile {
  readonly #file: string
  readonly #limits: LogFileLimits
  #handle: number | undefined
  #bytes = 0
  #waiting: string[] = []
  #waitingBytes = 0
  #left = 0
  #writing: Promise<void> | undefined
  #isClosed = false

  constructor(file: string, limits: Partial<LogFileLimits> = {}) {
    this.#file = file
    this.#limits = { ...defaults, ...limits }
  }

  /** Takes one line with its line feed. */
  append(line: string): void {
    if (this.#isClosed) return
    const bytes = Buffer.byteLength(line)
    if (this.#waitingBytes + bytes > this.#limits.waitingBytesMax) {
      this.#left++
      return
    }
    this.#waiting.push(line)
    this.#waitingBytes += bytes
    this.#writing ??= this.#drain()
  }

  /** Writes what waits, at once, for a process that is about to end. */
  flushNow(): void {
    const chunk = this.#take()
    const handle = this.#open(chunk.length)
    if (handle !== undefined) tryIt(() => writeSync(handle, chunk))
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#writing
    if (this.#handle !== undefined) closeSync(this.#handle)
    this.#handle = undefined
  }

  async #drain(): Promise<void> {
    await Promise.resolve() // the lines of one turn of the event loop are one write
    while (this.#waiting.length > 0) {
      const chunk = this.#take()
      const handle = this.#open(chunk.length)
      if (handle === undefined) this.#left++
      else await this.#write(handle, chunk)
    }
    this.#writing = undefined
  }

  #write(handle: number, chunk: Buffer): Promise<void> {
    return new Promise(resolve => {
      write(handle, chunk, error => {
        if (error) this.#left++
        resolve()
      })
    })
  }

  #take(): Buffer {
    if (this.#left > 0) {
      const note = {
        level: 40,
        time: Date.now(),
        msg: 'log entries were left out because the disk did not take them',
        entries: this.#left,
      }
      this.#waiting.push(`${JSON.stringify(note)}\n`)
      this.#left = 0
    }
    const chunk = Buffer.from(this.#waiting.join(''))
    this.#waiting = []
    this.#waitingBytes = 0
    return chunk
  }

  /** The open file with room for `bytes` more; undefined when it cannot be written at the moment. */
  #open(bytes: number): number | undefined {
    if (this.#handle !== undefined && this.#bytes > 0 && this.#bytes + bytes > this.#limits.fileBytesMax) {
      closeSync(this.#handle)
      this.#handle = undefined
      tryIt(() => this.#moveAside())
    }
    if (this.#handle === undefined) {
      tryIt(() => {
        mkdirSync(path.dirname(this.#file), { recursive: true, mode: 0o700 })
        this.#handle = openSync(this.#file, 'a', 0o600)
        this.#bytes = fstatSync(this.#handle).size
      })
    }
    this.#bytes += bytes
    return this.#handle
  }

  #moveAside(): void {
    const older = (number: number) => this.#file.replace(/(\.log)?$/, `.${number}.log`)
    rmSync(older(this.#limits.olderFilesMax), { force: true })
    for (let number = this.#limits.olderFilesMax - 1; number >= 1; number--) {
      if (existsSync(older(number))) renameSync(older(number), older(number + 1))
    }
    renameSync(this.#file, older(1))
  }
}

/** Runs something on the disk that may fail. */
function tryIt(action: () => void): void {
  try {
    action()
  } catch (error) {
    // The log must not end the server, and there is no other place to tell it than the terminal.
    process.stderr.write(`The log file cannot be written: ${error instanceof Error ? error.message : error}\n`)
  }
}
