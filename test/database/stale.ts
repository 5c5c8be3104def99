/** What a server that was the primary, and is not any more, was made to write: read from its own log. */
import { readFile } from 'node:fs/promises'
import type { PostgresServer } from '../support/postgres-server.ts'

/** Settings that make a server note who writes, and when that one's connection was made. */
export const noteWrites: Record<string, string> = {
  log_statement: 'mod',
  log_parameter_max_length: '0',
  log_timezone: 'UTC',
  log_line_prefix: '%m|%s|%u|%d|',
}

export interface Write {
  /** Milliseconds since 1970. */
  readonly at: number
  /** When its connection was made, to the second. */
  readonly connectedAt: number
  readonly database: string
  readonly text: string
}

/** Statements of the office's account that changed something, since a moment (milliseconds since 1970). */
export async function writesSince(server: PostgresServer, since: number): Promise<Write[]> {
  const lines = (await readFile(server.logFile, 'utf8')).split('\n')
  return lines.flatMap(line => {
    const [at = '', connected = '', user, database = '', ...text] = line.split('|')
    if (user !== 'lanthorn' || !/^LOG: {2}(execute|statement)/.test(text.join('|'))) return []
    const write = { at: timeOf(at), connectedAt: timeOf(connected), database, text: text.join('|') }
    return write.at >= since ? [write] : []
  })
}

/** "2026-11-22 21:04:45.123 UTC" */
function timeOf(text: string): number {
  return Date.parse(text.replace(' UTC', 'Z').replace(' ', 'T'))
}

/** When a UUIDv7 was made, in milliseconds since 1970 (RFC 9562 section 5.7). */
export function madeAt(id: string): number {
  return Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)
}
