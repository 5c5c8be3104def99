/**
 * Where a PostgreSQL database is, as people write it: the word `embedded`, libpq's URI (`postgresql://…` with one host or several),
 * a JDBC URL, an Npgsql connection string or libpq's key=value. Read here, printed in any of them.
 */

import type { DatabaseAddress } from './address.ts'
import type { Spellings } from './inspect/inspection.ts'
import { atCharacter, DatabaseUrlFault, example } from './url/fault.ts'
import { printJdbc, readJdbc } from './url/jdbc.ts'
import { printKeywords, readKeywords } from './url/keywords.ts'
import { printLibpq, readLibpq } from './url/libpq.ts'
import { printNpgsql, readNpgsql } from './url/npgsql.ts'
import { hidden, type PrintOptions } from './url/printed.ts'
import { type Spelling, spellingOf } from './url/spelling.ts'

export { DatabaseUrlFault } from './url/fault.ts'
export type { Spelling } from './url/spelling.ts'

/** What a `database.url` means: our own PostgreSQL, or somebody else's and how that was written. */
export type DatabaseTarget = { kind: 'embedded' } | { kind: 'server'; address: DatabaseAddress; spelling: Spelling }

/** The longest text that is read. */
export const URL_LENGTH_MAX = 4_000

const readers: Record<Spelling, (text: string, start: number, end: number) => DatabaseAddress> = {
  libpq: readLibpq,
  jdbc: readJdbc,
  npgsql: readNpgsql,
  keywords: readKeywords,
}
const printers: Record<Spelling, (address: DatabaseAddress, options?: PrintOptions) => string> = {
  libpq: printLibpq,
  jdbc: printJdbc,
  npgsql: printNpgsql,
  keywords: printKeywords,
}

/**
 * Reads the word `embedded` or a database URL in any of the four spellings.
 * @throws DatabaseUrlFault with one sentence and, where there is one, the place in `text` (`at`); never with a part of what was written
 */
export function parseDatabaseUrl(text: string): DatabaseTarget {
  const trimmed = text.trim()
  if (trimmed === 'embedded') return { kind: 'embedded' }
  if (trimmed === '')
    throw new DatabaseUrlFault(`The database URL is empty: write "embedded" or a URL, for example ${example}.`)
  if (text.length > URL_LENGTH_MAX) {
    throw new DatabaseUrlFault(`The database URL is longer than ${URL_LENGTH_MAX} characters: that is never right.`)
  }
  refuseStrangeCharacters(text)
  const spelling = spellingOf(trimmed)
  if (!spelling) {
    throw new DatabaseUrlFault(`A database URL begins with postgresql://, for example ${example}; or write "embedded".`)
  }
  const start = text.length - text.trimStart().length
  return { kind: 'server', address: readers[spelling](text, start, start + trimmed.length), spelling }
}

/** No database, user or password can have these: PostgreSQL's protocol ends texts with NUL, and half a pair is no character. */
function refuseStrangeCharacters(text: string): void {
  const nul = text.indexOf('\0')
  if (nul < 0 && text.isWellFormed()) return
  const at = nul < 0 ? text.search(/\p{Surrogate}/u) : nul
  throw new DatabaseUrlFault(
    `The database URL has something ${atCharacter(at)} that is no character: take it away.`,
    at,
  )
}

/** Prints an address as a libpq URI with its password: for programs, not for screens or logs. */
export function printDatabaseUrl(address: DatabaseAddress): string {
  return printLibpq(address)
}

/** The same address in all four spellings, with its password. Where a spelling has no words for it: see the top of its file. */
export function spellingsOf(address: DatabaseAddress): Spellings {
  return {
    libpq: printLibpq(address),
    jdbc: printJdbc(address),
    npgsql: printNpgsql(address),
    keywords: printKeywords(address),
  }
}

/**
 * A database URL that may be shown: with •••• for the password, in the spelling in which it was written. A text that cannot be read is
 * hidden as a whole, because nobody can tell which part of it is the password.
 */
export function hideSecret(url: string | DatabaseAddress): string {
  if (typeof url !== 'string') return printLibpq(url, { isHidden: true })
  try {
    const target = parseDatabaseUrl(url)
    return target.kind === 'embedded' ? target.kind : printers[target.spelling](target.address, { isHidden: true })
  } catch (error) {
    if (!(error instanceof DatabaseUrlFault)) throw error
    return hidden
  }
}
