/** Which of the four spellings a database URL is in. */

import { libpqWords } from './libpq-words.ts'
import { npgsqlWords } from './npgsql-words.ts'

/** libpq's URI, pgjdbc's URL, Npgsql's connection string, libpq's key=value. */
export type Spelling = 'libpq' | 'jdbc' | 'npgsql' | 'keywords'

/** The spelling of a text without spaces around it; undefined when it is none of them. */
export function spellingOf(text: string): Spelling | undefined {
  if (/^jdbc:/i.test(text)) return 'jdbc'
  if (/^postgres(ql)?:\/\//i.test(text)) return 'libpq'
  const pair = /^([^=;]*?)\s*=\s*('(?:''|\\.|[^'\\])*'|"(?:""|[^"])*"|[^\s;]*)/s.exec(text)
  const name = pair?.[1]
  if (pair === null || name === undefined || /^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return undefined
  // “host”, “port” and “password” are words of both spellings: what follows the first value tells them apart.
  const rest = text.slice(pair[0].length)
  const behindBlank = /^[^=]*?\s([a-z_]+)\s*=/.exec(rest)?.[1]
  const behindSemicolon = /^\s*;[\s;]*([^=;]*?)\s*=/.exec(rest)?.[1]
  if (/^[\s;]*$/.test(rest)) return rest === '' && libpqWords.has(name) ? 'keywords' : 'npgsql'
  if (behindSemicolon !== undefined && npgsqlWords.has(behindSemicolon)) return 'npgsql'
  if (behindBlank !== undefined && libpqWords.has(behindBlank)) return 'keywords'
  return libpqWords.has(name) && !rest.includes(';') ? 'keywords' : 'npgsql'
}
