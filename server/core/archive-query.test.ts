import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDatabase } from '../../test/support/database.ts'
import type { Database } from '../db/pool.ts'
import { createIds, timeOf } from '../xmpp/id.ts'
import { parseJid } from '../xmpp/jid.ts'
import {
  type ArchiveFilter,
  type ArchivePage,
  countArchive,
  deleteDone,
  deleteOlder,
  forgetPerson,
  hasAll,
  pageStatement,
  readArchive,
} from './archive-query.ts'
import { archiveMigrations } from './archive-table.ts'

const own = parseJid('juliet@office.test')
const romeo = parseJid('romeo@office.test')
const firstPage: ArchivePage = { max: 50, after: undefined, before: undefined, isBackward: false }
const lastPage: ArchivePage = { ...firstPage, isBackward: true }

let db: Database
let clock = 1_700_000_000_000
const ids = createIds({ now: () => clock, random: bytes => Buffer.alloc(bytes, 7) })

beforeAll(async () => {
  db = await openDatabase()
  for (const sql of archiveMigrations) await db.exec(sql)
  await db.exec('CREATE INDEX archive_done ON archive (id) WHERE NOT (pending OR in_sender OR in_receiver)')
})
afterAll(() => db.close())

interface RowOptions {
  from?: string
  to?: string
  pending?: boolean
  kept?: boolean
}

/** Adds a message a second after the one before. @returns its id */
async function add({ from = 'romeo', to = 'juliet', pending = false, kept = true }: RowOptions = {}): Promise<string> {
  clock += 1_000
  const id = ids.next()
  const [fromJid, toJid] = [`${from}@office.test/pc`, `${to}@office.test`]
  await db.exec(
    `INSERT INTO archive (id, sender, receiver, from_jid, to_jid, stanza, in_sender, in_receiver, pending)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)`,
    [id, from, to, fromJid, toJid, `<message from='${fromJid}' to='${toJid}'/>`, kept, pending],
  )
  return id
}

const clear = () => db.exec('DELETE FROM archive')
const found = async (filter: ArchiveFilter = {}, page = firstPage) =>
  (await readArchive(db, own, filter, page)).messages.map(message => message.id)

describe('reading', () => {
  test('what was sent and what was received come as one list in order', async () => {
    await clear()
    const wanted = [await add(), await add({ from: 'juliet', to: 'romeo' }), await add()]
    await add({ from: 'romeo', to: 'tybalt' })
    expect(await found()).toEqual(wanted)
    expect(await found({}, lastPage)).toEqual(wanted)
    expect(await countArchive(db, own, {})).toBe(3)
  })

  test('a page of long messages ends early, whichever way it is read, and is not the last', async () => {
    await clear()
    const all = [await add(), await add(), await add(), await add()]
    await db.exec("UPDATE archive SET stanza = '<message>' || repeat('x', 150000) || '</message>'")
    const first = await readArchive(db, own, {}, firstPage)
    expect(first).toMatchObject({ messages: [{ id: all[0] }], isComplete: false })
    const last = await readArchive(db, own, {}, lastPage)
    expect(last).toMatchObject({ messages: [{ id: all[3] }], isComplete: false })
    expect(await found({}, { ...firstPage, after: all[0] })).toEqual([all[1]])
    expect((await readArchive(db, own, {}, { ...firstPage, after: all[2] })).isComplete).toBe(true)
  })

  test('a message to the own account is there once, also if one of its sides was left out', async () => {
    await clear()
    const id = await add({ from: 'juliet', to: 'juliet' })
    expect(await found()).toEqual([id])
    expect(await found({ with: own })).toEqual([id])
    expect(await found({ with: parseJid('juliet@office.test/pc') })).toEqual([id])
    await db.exec('UPDATE archive SET in_sender = false')
    expect(await found()).toEqual([id])
    await db.exec('UPDATE archive SET in_receiver = false')
    expect(await found()).toEqual([])
    expect(await countArchive(db, own, {})).toBe(0)
  })

  test('ids of others and ids that were left out are not in the archive', async () => {
    await clear()
    const [mine, foreign, hidden] = [await add(), await add({ to: 'tybalt' }), await add({ kept: false })]
    expect(await hasAll(db, own, [mine, mine])).toBe(true)
    expect(await hasAll(db, own, [mine, foreign])).toBe(false)
    expect(await hasAll(db, own, [hidden])).toBe(false)
  })

  test('rows that are asked for by id are found whatever else bounds them', async () => {
    await clear()
    const all = [await add(), await add(), await add()]
    expect(await found({ ids: [all[2]!, all[0]!] })).toEqual([all[0], all[2]])
    expect(await found({ ids: all, afterId: all[0], beforeId: all[2] })).toEqual([all[1]])
    expect(await found({ afterId: all[0], startMs: timeOf(all[2]!) })).toEqual([all[2]])
    expect(await found({ afterId: all[1], startMs: timeOf(all[0]!) })).toEqual([all[2]])
    expect(await found({}, { ...firstPage, after: all[0], before: all[2] })).toEqual([all[1]])
  })

  test('an underscore or a per cent sign in an address is nothing but itself', async () => {
    await clear()
    await add({ from: 'romeo' })
    const id = await add({ from: 'ro_eo' })
    expect(await found({ with: parseJid('ro_eo@office.test') })).toEqual([id])
  })

  test('times are those in the ids, both ends counted in', async () => {
    await clear()
    const all = [await add(), await add(), await add()]
    const middle = timeOf(all[1]!)!
    expect(await found({ startMs: middle })).toEqual(all.slice(1))
    expect(await found({ endMs: middle })).toEqual(all.slice(0, 2))
    expect(await found({ startMs: middle + 1, endMs: middle + 999 })).toEqual([])
  })
})

describe('deleting', () => {
  test('old messages go in steps, oldest first; what still waits for somebody stays', async () => {
    await clear()
    const all = [await add(), await add({ pending: true }), await add(), await add()]
    const before = timeOf(all[3]!)!
    expect(await deleteOlder(db, before, 1)).toBe(1)
    expect(await found()).toEqual(all.slice(1))
    expect(await deleteOlder(db, before, 10)).toBe(1)
    expect(await found()).toEqual([all[1], all[3]])
    expect(await deleteOlder(db, before, 10)).toBe(0)
  })

  test('what nobody keeps and nobody waits for goes when it is old enough', async () => {
    await clear()
    await add({ kept: false })
    const waiting = await add({ kept: false, pending: true })
    const kept = await add()
    const young = await add({ kept: false })
    expect(await deleteDone(db, timeOf(young)!, 10)).toBe(1)
    const left = await db.query<{ id: string }>('SELECT id FROM archive ORDER BY id')
    expect(left.map(row => row.id)).toEqual([waiting, kept, young])
  })

  test('a person who is gone is forgotten, the other side keeps its half', async () => {
    await clear()
    const id = await add({ pending: true })
    await forgetPerson(db, 'juliet')
    expect(await found()).toEqual([])
    expect((await readArchive(db, romeo, {}, firstPage)).messages.map(message => message.id)).toEqual([id])
    expect(await db.query('SELECT id FROM archive WHERE pending')).toEqual([])
  })
})

describe('the cost of a page', () => {
  const people = ['romeo', 'juliet', ...Array.from({ length: 40 }, (_, index) => `p${index}`)]

  // 60,000 messages between 42 people; every tenth is Juliet's, and 20 of them are with Tybalt.
  beforeAll(async () => {
    await clear()
    for (let block = 0; block < 6; block++) {
      const rows = Array.from({ length: 10_000 }, (_, index) => {
        clock += 1_000
        const isOwn = index % 10 === 0
        const partner = index % 3_000 === 0 ? 'tybalt' : people[2 + (index % 40)]
        const [from, to] = isOwn ? (index % 20 === 0 ? ['juliet', partner] : [partner, 'juliet']) : [partner, 'romeo']
        return { id: ids.next(), from, to }
      })
      await db.exec(
        `INSERT INTO archive (id, sender, receiver, from_jid, to_jid, stanza, in_sender, in_receiver, pending)
         SELECT id, f, t, f || '@office.test/pc', t || '@office.test', '<message/>', true, true, false
         FROM unnest($1::uuid[], $2::text[], $3::text[]) AS row (id, f, t)`,
        [rows.map(row => row.id), rows.map(row => row.from), rows.map(row => row.to)],
      )
    }
    await db.exec('ANALYZE archive')
  })

  interface Plan {
    'Node Type': string
    'Index Name'?: string
    'Actual Rows': number
    'Rows Removed by Filter'?: number
    Plans?: Plan[]
  }

  /** The plan as PostgreSQL ran it: every index that was used, and how many rows were looked at. */
  async function explain(filter: ArchiveFilter, page: ArchivePage) {
    const { text, values } = pageStatement(own, filter, page)
    const row = await db.one<{ 'QUERY PLAN': { Plan: Plan }[] }>(`EXPLAIN (ANALYZE, FORMAT JSON) ${text}`, values)
    const result = row!['QUERY PLAN'][0]!
    const nodes: Plan[] = []
    const walk = (plan: Plan): void => {
      nodes.push(plan)
      plan.Plans?.forEach(walk)
    }
    walk(result.Plan)
    const scans = nodes.filter(node => node['Node Type'].includes('Scan') && !node['Node Type'].includes('Subquery'))
    return {
      kinds: scans.map(scan => scan['Node Type']),
      indexes: scans.map(scan => scan['Index Name']),
      looked: scans.reduce((sum, scan) => sum + scan['Actual Rows'] + (scan['Rows Removed by Filter'] ?? 0), 0),
    }
  }

  test.each([
    ['the first page', {}, firstPage],
    ['the last page', {}, lastPage],
    ['a page of a time', { startMs: clock + 30_000_000 }, firstPage],
  ])('%s walks the two indexes of its owner and looks at no more than it needs', async (_, filter, page) => {
    const { indexes, looked, kinds } = await explain(filter, page)
    expect(indexes.toSorted()).toEqual(['archive_receiver', 'archive_sender'])
    expect(kinds.every(kind => kind.startsWith('Index'))).toBe(true)
    expect(looked).toBeLessThanOrEqual(2 * 51)
  })

  test('a page with somebody one seldom talks to looks at messages of its owner only', async () => {
    const { indexes, looked } = await explain({ with: parseJid('tybalt@office.test') }, lastPage)
    expect(indexes.toSorted()).toEqual(['archive_receiver', 'archive_sender'])
    expect(looked).toBeLessThanOrEqual(6_000)
  })
})
