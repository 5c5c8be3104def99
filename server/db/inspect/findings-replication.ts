/** Findings about how the servers copy from one another, and what that means for an office. */
import type { DatabaseAddress } from '../address.ts'
import type { HostLook } from './host-facts.ts'
import { LAG_MAX_MS } from './host-row.ts'
import type { Finding } from './inspection.ts'
import {
  chosenMain,
  copiesOf,
  listed,
  quoted,
  type Reached,
  readableMs,
  replicationOf,
  standbysWanted,
  timelineOf,
  waitedFor,
  waitsForCopies,
} from './looks.ts'

/** Everything about copies and their main database. */
export function replicationFindings(looks: readonly HostLook[], address: DatabaseAddress): Finding[] {
  const main = chosenMain(looks)
  const copies = copiesOf(looks).filter(({ facts }) => !main || facts.systemId === main.facts.systemId)
  return [
    ...copies.flatMap(copy => copyFindings(copy, main)),
    ...(main ? [...waitFindings(main, copies), ...numberFindings(main, copies, address)] : []),
  ]
}

function copyFindings({ place, facts }: Reached, main: Reached | undefined): Finding[] {
  const findings: Finding[] = []
  if (facts.isFollowing === false) {
    findings.push({
      id: 'follows-nobody',
      state: 'warn',
      sentence: `${place} is a copy that follows nobody: what is written now does not reach it, so it cannot take over.`,
      advice: 'Look into its PostgreSQL log; repmgr node rejoin, or a new clone, makes it follow again.',
    })
  }
  const timeline = facts.timeline ?? 0
  if (main && facts.isFollowing && timeline > timelineOf(main)) {
    findings.push({
      id: 'main-elsewhere',
      state: 'bad',
      sentence: `${place} follows a newer main database than ${main.place}: one that the URL does not name.`,
      advice: `Add the host of the new main database to the URL, and stop PostgreSQL at ${main.place}: what is written there is lost.`,
    })
  }
  if (main && (facts.isAhead || (facts.isFollowing === false && timeline > timelineOf(main)))) {
    findings.push({
      id: 'ahead',
      state: 'bad',
      sentence: `${place} is a copy with changes that the main database ${main.place} does not have.`,
      advice: `Find out which of the two has what you need. Then make ${place} a copy again (repmgr node rejoin --force-rewind, or a new clone), or make it the main database.`,
    })
  }
  if (facts.isPaused) {
    findings.push({
      id: 'paused',
      state: 'warn',
      sentence: `${place} is a copy on which somebody has paused the applying of changes.`,
      advice: 'On that server, as a superuser: SELECT pg_wal_replay_resume();',
    })
  } else if ((facts.lagMs ?? 0) > LAG_MAX_MS && facts.isFollowing !== false) {
    findings.push({
      id: 'lag',
      state: 'warn',
      sentence: `${place} is a copy that is ${readableMs(facts.lagMs ?? 0)} behind: if it had to take over now, that much would be missing until Lanthorn writes it again.`,
      advice: 'Look at its disk and at the network between the two servers.',
    })
  }
  return findings
}

/** Does the main database wait for a copy before it says “kept”? */
function waitFindings(main: Reached, copies: readonly Reached[]): Finding[] {
  const { facts, place } = main
  const isCopied = facts.copies.length > 0 || copies.length > 0
  if (waitsForCopies(facts)) {
    const wanted = standbysWanted(facts.standbyNames)
    const isSure = facts.maySeeReplication || facts.copies.length < wanted
    const there = facts.maySeeReplication ? waitedFor(facts) : facts.copies.length
    if (isSure && there < wanted) return [missingCopy(place, wanted, there)]
    if (!facts.maySeeReplication) return [mayNotSee(facts.user, place)]
    return facts.synchronousCommit === 'remote_apply' ? [] : [notApplied(facts.user)]
  }
  if (!isCopied) return []
  const isKnown = copies.some(copy => replicationOf(copy, main) !== undefined) || facts.copies.length > 0
  return isKnown ? [asynchronous(main, Math.max(facts.copies.length, copies.length))] : []
}

/** What asynchronous replication means for an office; also said on Health. */
export const asynchronousMeans =
  'The main database does not wait for its copies, so the last moments of changes may be lost when it dies. Messages are written again by Lanthorn; other changes of those moments (a new contact, a setting) may be lost.'

function asynchronous({ facts }: Reached, copies: number): Finding {
  const advice = synchronousAdvice(facts.user, copies)
  return { id: 'asynchronous', state: 'warn', sentence: asynchronousMeans, advice }
}

/**
 * How to make the main database wait for its copies: a sentence, then the exact lines. `*` and not names: the same line then holds for any server after a
 * take-over, and none ever waits for itself.
 * @param copies how many there are
 */
export function synchronousAdvice(user: string, copies: number): string {
  const lines = [
    "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (*)';",
    'SELECT pg_reload_conf();',
    `ALTER ROLE ${quoted(user)} SET synchronous_commit = 'remote_apply';`,
  ]
  const how =
    copies > 1
      ? 'As a superuser, the first two lines on every server, the last on the main database. Changes then wait until one of the copies has them, and go on while at least one copy is there.'
      : 'As a superuser, on the main database. Changes then wait while the only copy is off; with a second copy they would go on. After a take-over the new main database goes on alone: run the lines there when the other server follows it.'
  return [how, ...lines].join('\n')
}

function missingCopy(place: string, wanted: number, there: number): Finding {
  const them = wanted === 1 ? 'a copy' : `${wanted} copies`
  return {
    id: 'sync-missing',
    state: 'bad',
    sentence: `${place} waits for ${them} with every change, but ${there === 0 ? 'none' : `only ${there}`} is there: every change would hang.`,
    advice:
      "Start the missing copy. Or let the main database go on alone until it is back, as a superuser:\nALTER SYSTEM SET synchronous_standby_names = '';\nSELECT pg_reload_conf();",
  }
}

function notApplied(user: string): Finding {
  return {
    id: 'not-applied',
    state: 'ok',
    sentence:
      'The main database waits until a copy has each change, but not until it can be read there: Lanthorn reads from the main database alone.',
    advice: `To let Lanthorn read from the copies too:\nALTER ROLE ${quoted(user)} SET synchronous_commit = 'remote_apply';`,
  }
}

function mayNotSee(user: string, place: string): Finding {
  return {
    id: 'no-monitor',
    state: 'warn',
    sentence: `The user ${user} may not see at ${place} how the copies are, so Lanthorn cannot warn you when one is missing.`,
    advice: `On the main database, as a superuser:\nGRANT pg_monitor TO ${quoted(user)};`,
  }
}

/** How many servers there are, and whether the URL names them. */
function numberFindings(main: Reached, copies: readonly Reached[], address: DatabaseAddress): Finding[] {
  const seen = main.facts.copies.length
  const findings: Finding[] = []
  if (address.hosts.length === 1 && seen === 0 && !main.facts.isPooled) {
    findings.push({
      id: 'single',
      state: 'ok',
      sentence: `${main.place} is the only server: while it is off, people who are online go on chatting, but nobody new can sign in.`,
      advice: 'A second server that copies it can take over: see the ready-made configuration for repmgr.',
    })
  }
  if (!main.facts.isPooled && seen > copies.length && copies.length + 1 >= address.hosts.length) {
    const names = main.facts.copies.flatMap(({ name }) => name ?? [])
    findings.push({
      id: 'unnamed-copies',
      state: 'warn',
      sentence: `The main database has ${seen === 1 ? 'a copy' : `${seen} copies`}${names.length > 0 ? ` (${listed(names)})` : ''} that the URL does not name, so Lanthorn would not find ${seen === 1 ? 'it' : 'them'} after a take-over.`,
      advice:
        'Add the hosts of the copies to the URL, with commas between them. Behind HAProxy or a floating address this is fine as it is.',
    })
  }
  if (!waitsForCopies(main.facts) && seen > 0 && !main.facts.maySeeReplication) {
    findings.push(mayNotSee(main.facts.user, main.place))
  }
  return findings
}
