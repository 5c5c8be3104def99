/** Health checks of where the data is: the servers, whether the main database waits for its copies, moves and what they left behind. */
import { synchronousAdvice } from '../db/inspect/findings-replication.ts'
import type { Check, CheckResult, OfficeParts } from './parts.ts'
import { counted, readableBytes } from './words.ts'

const DAY_MS = 24 * 60 * 60_000
const KEPT_DAYS = 30
const page = { label: 'Open the Database page', page: '/database' }

/** Each says nothing where it does not apply. */
export function databaseChecks(office: OfficeParts, now: () => number): Check[] {
  return [placeCheck(office), serversCheck(office), replicationCheck(office), moveCheck(office), oldCheck(office, now)]
}

/** A built-in database is in one place. */
function placeCheck(office: OfficeParts): Check {
  return {
    id: 'database-place',
    group: 'database',
    why: 'While the PC with the database is off, people who are online go on chatting, but nobody new can sign in.',
    run: () => {
      if (office.isDatabaseOutside) return undefined
      const other = office.nodes.nodes.find(node => node.database === 'main' && !node.here)
      return { state: 'ok', sentence: `The one database of the office is on ${other?.name ?? 'this PC'}.` }
    },
  }
}

function serversCheck(office: OfficeParts): Check {
  return {
    id: 'database-servers',
    group: 'database',
    why: 'When the main database dies, another server takes over, if it is there and has everything.',
    run: () => {
      const { db, isDatabaseOutside } = office
      const hosts = db.hosts.filter(host => host.at > 0)
      if (!isDatabaseOutside || hosts.length < 2) return undefined
      const refused = hosts.filter(host => host.state === 'refused')
      const away = hosts.filter(host => host.state === 'away')
      const state = db.state === 'away' ? 'bad' : 'warn'
      if (refused.length > 0) {
        const sentence = refused.map(host => host.sentence).join(' ')
        return { state, sentence, mend: page }
      }
      if (away.length > 0) {
        const places = away.map(host => host.place).join(', ')
        const sentence = `${places} ${away.length === 1 ? 'does' : 'do'} not answer, so nothing can take over there.`
        return { state, sentence, lines: away.map(host => host.sentence), mend: page }
      }
      const copies = hosts.filter(host => host.state === 'standby').length
      return {
        state: 'ok',
        sentence: `All ${hosts.length} database servers are there: the main database is ${db.place}, with ${copies === 1 ? 'a copy' : `${copies} copies`}.`,
      }
    },
  }
}

function replicationCheck(office: OfficeParts): Check {
  return {
    id: 'database-replication',
    group: 'database',
    why: 'A copy that the main database does not wait for may lack the last moments when it has to take over.',
    run: (): CheckResult | undefined => {
      const { db, isDatabaseOutside } = office
      if (!isDatabaseOutside || db.state === 'away') return undefined
      const { kind, sentence } = db.replication
      switch (kind) {
        case 'applied':
        case 'synchronous':
          return { state: 'ok', sentence }
        case 'asynchronous':
          return { state: 'warn', sentence, lines: linesFor(office), mend: page }
        case 'unknown':
          return { state: 'warn', sentence, mend: page }
        case 'none':
          return { state: db.hosts.length > 1 ? 'warn' : 'ok', sentence, ...(db.hosts.length > 1 && { mend: page }) }
        default:
          return kind satisfies never
      }
    },
  }
}

function linesFor({ db }: OfficeParts): string[] {
  const copies = db.hosts.filter(host => host.state === 'standby').length
  return synchronousAdvice(db.current?.user ?? 'lanthorn', copies).split('\n')
}

function moveCheck({ database }: OfficeParts): Check {
  return {
    id: 'database-move',
    group: 'database',
    why: 'Until a move of the data is finished or forgotten, the other database holds half of it.',
    run: () => {
      const { move } = database
      if (!move || move.state === 'switched') return undefined
      if (move.state !== 'stopped') return { state: 'ok', sentence: `The data moves to ${move.to}: ${move.sentence}` }
      const problem = move.problem === undefined ? '' : ` ${move.problem}`
      return {
        state: 'warn',
        sentence: `The move of the data to ${move.to} stopped half-way; ${move.from} is used as before.${problem}`,
        mend: { label: 'Resume or forget it', page: page.page },
      }
    },
  }
}

function oldCheck({ database }: OfficeParts, now: () => number): Check {
  return {
    id: 'database-old',
    group: 'database',
    why: 'After a move or a restore the former database is kept, in case something is missing. It takes space.',
    run: async () => {
      const old = await database.old()
      if (old.length === 0) return undefined
      const late = old.filter(({ keptSince }) => now() - Date.parse(keptSince) > KEPT_DAYS * DAY_MS)
      const bytes = old.reduce((sum, one) => sum + (one.bytes ?? 0), 0)
      const size = bytes > 0 ? ` (${readableBytes(bytes)})` : ''
      const which = counted(old.length, 'former database')
      if (late.length === 0)
        return { state: 'ok', sentence: `${which} ${old.length === 1 ? 'is' : 'are'} kept${size}.` }
      const sentence = `${counted(late.length, 'former database')} ${late.length === 1 ? 'has' : 'have'} been kept for more than ${KEPT_DAYS} days and can be removed.`
      return { state: 'warn', sentence, lines: late.map(one => one.place), mend: page }
    },
  }
}
