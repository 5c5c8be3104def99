/** libpq's key=value spelling (manual 32.1.1.1): host=a,b port=1,2 user=me password='it\'s' dbname=chat. */
import type { DatabaseAddress } from '../address.ts'
import { buildAddress } from './build.ts'
import { cutAt, isList, newDraft, say } from './draft.ts'
import { atCharacter, DatabaseUrlFault } from './fault.ts'
import { libpqWords } from './libpq-words.ts'
import { addressList, furtherWords, hidden, type PrintOptions } from './printed.ts'

const advice = "Hosts are written as host=db1,db2 and their ports as port=5432,5432; a value with spaces stands in '…'."
const example = 'host=db1,db2 port=5432 user=lanthorn password=secret dbname=lanthorn'

/** One name=value and where it stands. */
interface Pair {
  readonly name: string
  readonly at: number
  readonly value: string
  readonly valueAt: number
}

/**
 * Reads key=value from `start` to `end` of `text`.
 * @throws DatabaseUrlFault
 */
export function readKeywords(text: string, start: number, end: number): DatabaseAddress {
  const draft = newDraft(advice, example)
  for (const { name, at, value, valueAt } of pairsOf(text, start, end)) {
    const setting = libpqWords.meaningOf(name, value, at)
    if (setting === undefined) continue
    say(draft, setting, isList(setting) ? cutAt(value, valueAt, /,/g) : [{ text: value, at: valueAt }])
  }
  return buildAddress(draft)
}

function* pairsOf(text: string, start: number, end: number): Generator<Pair> {
  const blank = /[ \t\n\v\f\r]*/y
  const skipBlanks = (at: number): number => {
    blank.lastIndex = at
    return at + (blank.exec(text)?.[0].length ?? 0)
  }
  for (let at = skipBlanks(start); at < end; at = skipBlanks(at)) {
    const word = /^[^= \t\n\v\f\r]*/.exec(text.slice(at, end))?.[0] ?? ''
    const equals = skipBlanks(at + word.length)
    if (word === '' || text[equals] !== '=' || equals >= end) {
      throw new DatabaseUrlFault(
        `The database URL has a word ${atCharacter(at)} that is not name=value; a value with spaces stands in '…'.`,
        at,
      )
    }
    const valueAt = skipBlanks(equals + 1)
    const { value, stop } = readValue(text, valueAt, end)
    yield { name: word, at, value, valueAt: text[valueAt] === "'" ? valueAt + 1 : valueAt }
    at = stop
  }
}

/** A value: up to a blank, or in single quotes; a backslash takes what follows as it is. Gives where it ends. */
function readValue(text: string, start: number, end: number): { value: string; stop: number } {
  const isQuoted = text[start] === "'"
  let value = ''
  let at = isQuoted ? start + 1 : start
  while (at < end) {
    const character = text.charAt(at)
    if (isQuoted ? character === "'" : /[ \t\n\v\f\r]/.test(character)) return { value, stop: isQuoted ? at + 1 : at }
    // libpq drops a backslash at the very end.
    if (character === '\\') at++
    if (at < end) value += text.charAt(at)
    at++
  }
  if (!isQuoted) return { value, stop: end }
  throw new DatabaseUrlFault(
    `The database URL has a value ${atCharacter(start)} whose quote ' is never closed; a quote inside is written as \\'.`,
    start,
  )
}

/** Prints an address as key=value, with its password unless it is to be hidden. */
export function printKeywords(address: DatabaseAddress, { isHidden = false }: PrintOptions = {}): string {
  const { hosts, user, password, database } = address
  const words: [string, string | undefined][] = [
    ['host', hosts.map(({ host }) => host).join(',')],
    ['hostaddr', addressList(address)],
    ['port', hosts.map(({ port }) => port).join(',')],
    ['user', user],
    ['password', password === '' ? undefined : isHidden ? hidden : password],
    ['dbname', database],
    ...furtherWords(address),
  ]
  return words
    .filter((word): word is [string, string] => word[1] !== undefined)
    .map(([name, value]) => `${name}=${quote(value)}`)
    .join(' ')
}

function quote(value: string): string {
  return /^[^\s'\\]+$/.test(value) ? value : `'${value.replace(/['\\]/g, '\\$&')}'`
}
