/** The log: lines for people on a terminal, JSON in files of bounded size, and the newest entries in memory for the log page. */
import path from 'node:path'
import pino, { type Logger } from 'pino'
import { LogFile } from './log-file.ts'

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'

/** One line of the log as the log page shows it. */
export interface LogEntry {
  /** Milliseconds since 1970. */
  time: number
  level: LogLevel
  message: string
  fields: Record<string, unknown>
}

export interface LogOptions {
  /** Folder for the files; without it nothing is written to disk. */
  folder?: string
  level?: LogLevel
  /** Where lines for people go. */
  terminal?: { write(text: string): unknown; isTTY?: boolean }
}

export interface Log {
  readonly logger: Logger
  readonly recent: RecentEntries
  /** Writes what is still in memory, at once; for the last moment before a crash ends the process. */
  flushNow(): void
  /** Writes the rest and closes the file. */
  close(): Promise<void>
}

const entriesMax = 2_000
const levels: Record<number, LogLevel> = { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' }

/** Names under which nothing may ever be written: secrets, and what people say to each other. */
const secretNames = [
  'password',
  'token',
  'secret',
  'privateKey',
  'cookie',
  'authorization',
  'body',
  'stanza',
  'content',
]

/** Starts the log of this process. */
export function createLog(options: LogOptions = {}): Log {
  const terminal = options.terminal ?? process.stderr
  const recent = new RecentEntries(entriesMax)
  const file = options.folder === undefined ? undefined : new LogFile(path.join(options.folder, 'lanthorn.log'))
  const logger = pino(
    {
      level: options.level ?? 'info',
      base: null,
      redact: { paths: secretNames.flatMap(name => [name, `*.${name}`]), censor: '(hidden)' },
    },
    {
      write(line: string) {
        file?.append(line)
        const entry = readEntry(line)
        terminal.write(terminal.isTTY ? `${printEntry(entry)}\n` : line)
        recent.add(entry)
      },
    },
  )
  return {
    logger,
    recent,
    flushNow: () => file?.flushNow(),
    close: async () => file?.close(),
  }
}

/** The newest entries, oldest first when read. */
export class RecentEntries {
  readonly #entries: LogEntry[] = []
  readonly #max: number
  readonly #listeners = new Set<(entry: LogEntry) => void>()
  #next = 0

  constructor(max: number) {
    this.#max = max
  }

  add(entry: LogEntry): void {
    this.#entries[this.#next] = entry
    this.#next = (this.#next + 1) % this.#max
    for (const listener of this.#listeners) listener(entry)
  }

  list(): LogEntry[] {
    return [...this.#entries.slice(this.#next), ...this.#entries.slice(0, this.#next)]
  }

  /** Calls `listener` with each new entry. Gives the function that ends it. */
  subscribe(listener: (entry: LogEntry) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

function readEntry(line: string): LogEntry {
  const { time, level, msg, ...fields } = JSON.parse(line) as { time: number; level: number; msg?: string }
  return { time, level: levels[level] ?? 'info', message: msg ?? '', fields }
}

/** One line: 14:03:28 warn  the sentence  name=value. The stack of an error is in the file, its message here. */
export function printEntry({ time, level, message, fields }: LogEntry): string {
  const clock = new Date(time).toTimeString().slice(0, 8)
  const details = Object.entries(fields).map(([name, value]) => `${name}=${printValue(value)}`)
  const start = `${clock} ${level.padEnd(5)} ${message}`
  return (details.length === 0 ? start : `${start}  ${details.join(' ')}`).replaceAll(/\s*\n\s*/g, ' ')
}

function printValue(value: unknown): string {
  if (typeof value === 'string') return /[\s="]/.test(value) || value === '' ? JSON.stringify(value) : value
  if (typeof value === 'object' && value !== null && 'stack' in value && 'message' in value)
    return JSON.stringify(value.message)
  return JSON.stringify(value) ?? String(value)
}
