/** The log of this process as the log page reads it: numbered lines, found by level and text. */
import type { LogEntry as Entry, RecentEntries } from '../log.ts'
import type { LogEntry, LogLevel } from './contract/logs.ts'

const ranks: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 }
const levelOf = { trace: 'debug', debug: 'debug', info: 'info', warn: 'warn', error: 'error', fatal: 'error' } as const

/** What is looked for. */
export interface LogFilter {
  /** This level and above. */
  readonly level?: LogLevel | undefined
  /** In message and fields, case ignored. */
  readonly text?: string | undefined
}

/** Numbers the lines as they come; the ring itself keeps them. */
export class LogLines {
  readonly #recent: RecentEntries
  readonly #pc: string
  readonly #ids = new WeakMap<Entry, number>()
  readonly #followers = new Set<(line: LogEntry) => void>()
  readonly #unsubscribe: () => void
  #next = 0

  constructor(recent: RecentEntries, pc: string) {
    this.#recent = recent
    this.#pc = pc
    for (const entry of recent.list()) this.#ids.set(entry, this.#next++)
    this.#unsubscribe = recent.subscribe(entry => {
      this.#ids.set(entry, this.#next++)
      if (this.#followers.size === 0) return
      const line = this.#toLine(entry)
      for (const follower of this.#followers) follower(line)
    })
  }

  /** The last lines that fit, oldest first. */
  last(filter: LogFilter, limit: number): LogEntry[] {
    return this.#matching(filter).slice(-limit)
  }

  /** The lines after the one with this id, oldest first. */
  after(id: number, filter: LogFilter): LogEntry[] {
    return this.#matching(filter).filter(line => line.id > id)
  }

  /** Calls `listener` with each new line that fits. Gives the function that ends it. */
  follow(filter: LogFilter, listener: (line: LogEntry) => void): () => void {
    const follower = (line: LogEntry): void => {
      if (fits(line, filter)) listener(line)
    }
    this.#followers.add(follower)
    return () => this.#followers.delete(follower)
  }

  close(): void {
    this.#unsubscribe()
    this.#followers.clear()
  }

  #matching(filter: LogFilter): LogEntry[] {
    return this.#recent
      .list()
      .map(entry => this.#toLine(entry))
      .filter(line => fits(line, filter))
  }

  #toLine(entry: Entry): LogEntry {
    const { time, level, message, fields } = entry
    return {
      id: this.#ids.get(entry) ?? 0,
      at: new Date(time).toISOString(),
      level: levelOf[level],
      message,
      fields,
      pc: this.#pc,
    }
  }
}

function fits(line: LogEntry, { level, text }: LogFilter): boolean {
  if (level && ranks[line.level] < ranks[level]) return false
  if (!text) return true
  return `${line.message} ${JSON.stringify(line.fields)}`.toLowerCase().includes(text.toLowerCase())
}
