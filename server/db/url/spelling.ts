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
  if (!libpqWords.has(name)) return 'npgsql'
  // The name is one of libpq's (“host”, “port”, “password”) and may be Npgsql's too: what follows the first value tells.
  const rest = text.slice(pair[0].length)
  const next = /^\s*;\s*([^=;]*?)\s*=/.exec(rest)?.[1]
  if (/^\s*;\s*$/.test(rest) || (next !== undefined && npgsqlWords.has(next))) return 'npgsql'
  if (rest === '' || /^\s+[a-z_]+\s*=/.test(rest)) return 'keywords'
  return /^\s*;/.test(rest) || /;/.test(rest) ? 'npgsql' : 'keywords'
}
