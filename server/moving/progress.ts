/** How a move looks to people: percent, time left, one sentence. Pure. */
import type { DatabaseMove } from '../admin/contract/database.ts'
import { type MoveRecord, namedIn, wordsOf } from './record.ts'

/** Parts of the whole, in percent: copying, then carrying over what changed and comparing, then switching. */
const COPYING_PERCENT = 92
const CATCHING_UP_PERCENT = 97
const SWITCHING_PERCENT = 99

/** The rate is that of the last seconds: a large table may be slower than those before it. */
const WINDOW_MS = 20_000
const SAMPLES_MAX = 200
/** Before this much time nothing can be said. */
const EARLIEST_MS = 1_500

/** Measures how many rows go over in a second. */
export class Meter {
  readonly #samples: { at: number; rows: number }[] = []

  /** @param rows copied so far, in all @param at milliseconds of any clock that only goes forward */
  note(rows: number, at: number): void {
    const last = this.#samples.at(-1)
    // Copying began anew: what was before says nothing.
    if (last && rows < last.rows) this.#samples.length = 0
    this.#samples.push({ at, rows })
    while (this.#samples.length > SAMPLES_MAX || at - (this.#samples[0]?.at ?? at) > WINDOW_MS) this.#samples.shift()
  }

  /** Seconds until `rows` more are copied; undefined: cannot be said yet. */
  secondsFor(rows: number): number | undefined {
    const first = this.#samples[0]
    const last = this.#samples.at(-1)
    if (!first || !last || last.at - first.at < EARLIEST_MS || last.rows <= first.rows) return undefined
    return Math.ceil((rows * (last.at - first.at)) / (last.rows - first.rows) / 1_000)
  }
}

/** All rows that are copied, and all that there are. Estimates that were too low do not make more than the whole. */
export function countRows(record: Pick<MoveRecord, 'tables'>): { done: number; rows: number } {
  let done = 0
  let rows = 0
  for (const table of record.tables) {
    done += table.done
    rows += Math.max(table.rows, table.done)
  }
  return { done, rows }
}

/** What the Database page and the command line show. */
export function moveOf(record: MoveRecord, meter?: Meter): DatabaseMove {
  const { done, rows } = countRows(record)
  const secondsLeft = record.state === 'copying' ? meter?.secondsFor(rows - done) : undefined
  return {
    state: record.state,
    from: wordsOf(record.from),
    to: wordsOf(record.to),
    sentence: sentenceOf(record, done, rows),
    ...(record.problem === undefined ? {} : { problem: record.problem }),
    percent: percentOf(record, done, rows),
    ...(secondsLeft === undefined ? {} : { secondsLeft }),
    tables: record.tables.slice(0, 100).map(({ table, rows: all, done: copied, state }) => ({
      table,
      rows: Math.max(all, copied),
      done: copied,
      state,
    })),
    startedAt: record.startedAt,
    ...(record.endedAt === undefined ? {} : { endedAt: record.endedAt }),
    ...(record.pauseMs === undefined ? {} : { pauseMs: record.pauseMs }),
  }
}

function percentOf({ state }: MoveRecord, done: number, rows: number): number {
  const copied = rows === 0 ? 0 : Math.floor((COPYING_PERCENT * done) / rows)
  switch (state) {
    case 'copying':
    case 'stopped':
      return copied
    case 'catching-up':
      return CATCHING_UP_PERCENT
    case 'switching':
      return SWITCHING_PERCENT
    case 'switched':
      return 100
    default:
      return state satisfies never
  }
}

function sentenceOf(record: MoveRecord, done: number, rows: number): string {
  const { state, from, to } = record
  switch (state) {
    case 'copying':
      return rows === 0 ? 'Preparing the copy.' : `Copied ${counted(done)} of ${counted(rows)} rows.`
    case 'catching-up':
      return 'Everything is copied; carrying over what has changed since, and comparing.'
    case 'switching':
      return `Switching to ${namedIn(to)}.`
    case 'switched':
      return `${counted(rows)} rows were moved to ${namedIn(to)}, which is used now. What was there before, ${namedIn(from)}, is kept until you remove it.`
    case 'stopped':
      return stoppedSentence(record, done, rows)
    default:
      return state satisfies never
  }
}

function stoppedSentence({ from, to, isCancelled, isTargetMade }: MoveRecord, done: number, rows: number): string {
  const stays = `Everything is as before: ${namedIn(from)} is used.`
  if (!isTargetMade) return `The move has not begun. ${stays}`
  const half = `${capital(namedIn(to))} holds half a copy`
  if (isCancelled) return `Cancelled. ${stays} ${half}: forget the move to remove it, or resume to begin again.`
  return `Stopped after ${counted(done)} of ${counted(rows)} rows. ${stays} ${half}: resume to go on from there, or forget the move to remove it.`
}

const counted = (rows: number): string => rows.toLocaleString('en-US')
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
