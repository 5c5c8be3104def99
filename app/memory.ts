/** The little that the shell remembers from one start to the next. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

interface Remembered {
  /** The version of the server that answered last. */
  version?: string
  /** That closing the window stops nothing was said. */
  hasToldOfClosing?: boolean
}

/** A file in the shell's own folder. */
export class Memory {
  readonly #file: string
  #remembered: Readonly<Remembered>

  constructor(folder: string) {
    this.#file = path.join(folder, 'shell.json')
    this.#remembered = read(this.#file)
  }

  get(): Readonly<Remembered> {
    return this.#remembered
  }

  /** A disk that refuses costs no more than being told something twice. */
  set(changes: Remembered): void {
    this.#remembered = { ...this.#remembered, ...changes }
    try {
      mkdirSync(path.dirname(this.#file), { recursive: true })
      writeFileSync(this.#file, JSON.stringify(this.#remembered))
    } catch (error) {
      process.stderr.write(`${this.#file} cannot be written: ${error instanceof Error ? error.message : error}\n`)
    }
  }
}

function read(file: string): Remembered {
  try {
    const { version, hasToldOfClosing } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
    return {
      ...(typeof version === 'string' && { version }),
      ...(typeof hasToldOfClosing === 'boolean' && { hasToldOfClosing }),
    }
  } catch {
    return {} // the first start, or a file of no use
  }
}
