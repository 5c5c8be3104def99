import { expect, test } from 'vitest'
import { quietLog } from '../../test/support/database.ts'
import type { Database } from '../db/pool.ts'
import { type ArchiveWrite, columnsOf, type Given } from './archive-table.ts'
import { RecentWrites } from './recent-writes.ts'
import { Rewrite } from './rewrite.ts'

const mark = (id: string, stream: string, holder: string | undefined): Given => ({
  id,
  stream,
  count: 1,
  holder,
  was: holder === undefined ? '1.1' : undefined,
})

const write = (more: Partial<ArchiveWrite>): ArchiveWrite => ({ rows: columnsOf([]), taken: [], given: [], ...more })

test('marks are repeated as they were made last, and as often as they are asked for', async () => {
  const statements: { sql: string; values: unknown[] }[] = []
  const db = {
    exec: (sql: string, values: unknown[]) => {
      statements.push({ sql, values })
      return Promise.resolve()
    },
  } as unknown as Database
  const recent = new RecentWrites({ now: () => 0 })
  const rewrite = new Rewrite({ db, log: quietLog, recent })
  rewrite.repeatMarks()
  expect(rewrite.isDone).toBe(true)
  recent.add(write({ given: [mark('a', 'first', '1.1'), mark('b', 'first', '1.1')] }), 0)
  recent.add(write({ given: [mark('a', 'first', undefined)] }), 0)
  recent.add(write({ taken: ['b'] }), 0)
  for (let round = 0; round < 2; round++) {
    rewrite.repeatMarks()
    while (!rewrite.isDone) await rewrite.step()
  }
  const values = [['b'], ['a'], ['first'], [1], [undefined], ['1.1']]
  expect(statements.map(one => one.values)).toEqual([values, values])
  recent.close()
})
