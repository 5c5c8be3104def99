import { expect, test } from 'vitest'
import { freshDatabase } from '../../test/support/database.ts'
import { openStatementCutter } from '../../test/support/statement-cutter.ts'
import { Connections } from './connections.ts'
import { Host } from './hosts/hosts.ts'

test.each(['before', 'after'] as const)(
  'a connection that is lost while the server behind it is examined fails the call that wanted it, and nothing else (cut %s the answer)',
  async mode => {
    const { connection, drop } = await freshDatabase()
    const cutter = await openStatementCutter({ path: `${connection.host}/.s.PGSQL.${connection.port}` })
    const limits = { connectTimeoutMs: 5_000, queryTimeoutMs: 5_000 }
    const host = new Host({ ...connection, host: '127.0.0.1', port: cutter.port }, limits, false)
    const connections = new Connections({
      host,
      limits,
      max: 2,
      directMax: 1,
      waitersMax: 10,
      verify: () => undefined,
      onLost: () => undefined,
    })
    const ask = () =>
      connections.run(performance.now() + 5_000, session => session.one<{ one: number }>('SELECT 1 AS one'))
    cutter.arm(1, mode)
    await expect(ask()).rejects.toMatchObject({ name: 'DatabaseAway' })
    expect(cutter.lastCut).toContain('pg_is_in_recovery')
    expect(await ask()).toEqual({ one: 1 })
    connections.cut()
    await cutter.close()
    await drop()
  },
)
