/**
 * The end of a move: all writers wait for a moment, the rest goes over, the old database is sealed, the new one is used.
 *
 * What a power cut, or kill -9, leaves behind. Every line is durable before the next begins:
 * 1. move.json says “switching”. URL: old. The old database is whole and can be written; the copy lacks the last changes.
 * 2. The target has the last changes (its commit), and its note no longer says “half a copy”. URL: old. The old database is not changed.
 * 3. The old database is sealed (its commit): nobody writes there any more, on whichever PC. URL: old. Both hold the same.
 * 4. secrets.json has the new URL: one file, moved into place, so it is the old or the new one. This is what decides at the next start.
 * 5. The pool uses the new database: from here on it is ahead of the old one, and there is no way back.
 * 6. move.json says “switched”.
 * A start that finds “switching” looks at secrets.json. The new URL: everything is there, 6 is done again. The old URL: nobody can have
 * written to the new database, because nobody was told of it; the seal, if it came to 3, is taken off before anything else, and the move
 * counts as interrupted. So exactly one of both is used, and every acknowledged write is in it: before 3 it was committed in the old one,
 * and whatever was committed there before 3 is in the new one since 2 (the tables are locked against writers from before 2 until 3).
 */
import { performance } from 'node:perf_hooks'
import { lockWriters, readChanges, seal, writeNote } from '../db/copy/capture.ts'
import { settleSequences } from '../db/copy/copy.ts'
import { ask, beginWork, commitWork } from '../db/copy/work.ts'
import { DatabaseFault } from '../db/errors.ts'
import { applyChanges, type Ends } from './catching-up.ts'

/** All of the pause; and when it is better to let everybody go on and try again later. */
export const PAUSE_MS = 2_000
const GIVE_UP_MS = 1_400
const LOCK_WAIT_MS = 500
/** Changes that can be carried over within the pause. */
export const LAST_CHANGES = 2_000

/** This was not the moment: nothing has happened, it can be tried again. */
export class NotNow extends Error {
  override readonly name = 'NotNow'
}

/** Points of the switch, in order; tests end the process at each. */
export type SwitchStep = 'paused' | 'locked' | 'carried' | 'sealing' | 'sealed' | 'pointed' | 'used'

export interface SwitchParts extends Ends {
  /** The id of the move. */
  readonly move: string
  /** Where the data comes from and goes to, for the notes of both databases. */
  readonly from: string
  readonly place: string
  /** Lets statements wait; they go on by themselves after the limit. */
  pause(limitMs: number): Promise<{ resume(): void }>
  /** Makes the next start use the new database; on disk when it resolves. */
  pointToNew(): Promise<void>
  /** The opposite of `pointToNew`. @returns whether it is certain that the next start uses the old one */
  pointToOld(): Promise<boolean>
  /** Lets everybody who works with the database now use the new one; throws and stays with the old one when it does not answer. */
  useNew(): Promise<void>
  /** Takes the seal off the old database. Does not throw; goes on trying when it is away. */
  unseal(): Promise<void>
  step(name: SwitchStep): void | Promise<void>
}

/**
 * Switches. Whatever it throws, the old database is used on, and can be written.
 * @returns how long writers had to wait, in milliseconds
 * @throws NotNow; CopyFault, DatabaseAway, DatabaseFault
 */
export async function switchOver(parts: SwitchParts): Promise<number> {
  const { source, target } = parts
  const since = performance.now()
  const pause = await pauseFor(parts)
  let isSealed = false
  try {
    await parts.step('paused')
    await lockAll(parts)
    await parts.step('locked')
    await carryLast(parts, since)
    await parts.step('carried')
    await writeNote(source, { kind: 'moved-away', move: parts.move, place: parts.place })
    await seal(source, parts.tables, `The data of this office was moved to ${parts.place}.`)
    await parts.step('sealing')
    // Whether a commit that fails was carried out is not known.
    isSealed = true
    await commitWork(source)
    await parts.step('sealed')
    await parts.pointToNew()
    await parts.step('pointed')
    await parts.useNew()
    await parts.step('used')
    return Math.round(performance.now() - since)
  } catch (error) {
    await Promise.allSettled([source.query('ROLLBACK'), target.query('ROLLBACK')])
    if (isSealed) await goBack(parts)
    throw error
  } finally {
    pause.resume()
  }
}

async function pauseFor(parts: SwitchParts): Promise<{ resume(): void }> {
  try {
    return await parts.pause(PAUSE_MS)
  } catch (error) {
    throw new NotNow('A statement that runs for long did not end in time.', { cause: error })
  }
}

async function lockAll({ source, tables }: SwitchParts): Promise<void> {
  await beginWork(source, 'write')
  try {
    await lockWriters(source, tables, LOCK_WAIT_MS)
  } catch (error) {
    if (!(error instanceof DatabaseFault)) throw error
    throw new NotNow('Somebody else was writing to the database for long.', { cause: error })
  }
}

/** Nobody writes: what is in the capture now is the last of it. */
async function carryLast(parts: SwitchParts, since: number): Promise<void> {
  const { source, target, tables } = parts
  const changes = await readChanges(source, LAST_CHANGES + 1)
  if (changes.length > LAST_CHANGES) throw new NotNow('Too much has changed in the last moment.')
  await beginWork(target, 'write')
  await applyChanges(parts, changes)
  const changed = new Set(changes.map(change => change.table))
  await settleSequences(
    target,
    tables.filter(table => changed.has(table.name)),
  )
  // Whole, but not used yet: the note stays in the new database, where it says nothing more.
  await writeNote(target, { kind: 'copied', move: parts.move, place: parts.from })
  if (performance.now() - since > GIVE_UP_MS) throw new NotNow('Carrying over the last changes took too long.')
  await commitWork(target)
  // The changes stay in the capture: should the switch be undone, they are carried over once more, which does no harm.
  await ask(source, 'SET LOCAL lock_timeout = 0')
}

/** The old database can be written again only when it is certain that no start uses the new one. */
async function goBack(parts: SwitchParts): Promise<void> {
  if (await parts.pointToOld()) await parts.unseal()
}
