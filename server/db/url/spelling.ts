/** Which of the four spellings a database URL is in. */

import { libpqWords } from './libpq-words.ts'
import { npgsqlWords } from './npgsql-words.ts'

/** libpq's URI, pgjdbc's URL, Npgsql's connection string, libpq's key=value. */
export type Spelling = 'libpq' | 'jdbc' | 'npgsql' | 'keywords'

/** The spelling of a text without spaces around it; undefined when it is none of them. */
export function spellingOf(text: string): Spelling | undefined {
  if (/^jdbc:/i.test(text)) return 'jdbc'
  if (/^postgres(ql)?:\/\//i.test(text)) return 'libpq'
  const equals = text.indexOf('=')
  const name = text.slice(0, equals).trim()
  if (equals < 0 || !/^[a-z][a-z_ ]*$/i.test(name)) return undefined
  // “host”, “port” and “password” are words of both spellings: what follows the first value tells them apart.
  const rest = behindValue(text, equals + 1)
  if (/^[\s;]*$/.test(rest)) return rest === '' && libpqWords.has(name) ? 'keywords' : 'npgsql'
  const next = rest.slice(0, Math.max(0, rest.indexOf('='))).trimEnd()
  if (next.trimStart().startsWith(';') && npgsqlWords.has(next.slice(next.lastIndexOf(';') + 1))) return 'npgsql'
  if (libpqWords.has(/\s([a-z_]+)$/.exec(next)?.[1] ?? '')) return 'keywords'
  return libpqWords.has(name) && !rest.includes(';') ? 'keywords' : 'npgsql'
}

/** What follows the first value: in quotes of either kind, or up to a blank or a semicolon. */
function behindValue(text: string, start: number): string {
  const value = /\s*(?:'(?:''|\\.|[^'\\])*'|"(?:""|[^"])*"|[^\s;]*)/sy
  value.lastIndex = start
  return text.slice(start + (value.exec(text)?.[0].length ?? 0))
}
