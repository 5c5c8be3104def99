import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDoor } from '../../../test/support/door.ts'
import { poolerProgram, startPgBouncer } from '../../../test/support/poolers.ts'
import { type PostgresPair, startPair, urlOf } from '../../../test/support/postgres-pair.ts'
import { account, eventually, ownPrograms, type Programs } from '../../../test/support/postgres-server.ts'
import { tryDatabase } from './inspect.ts'

const debian = '/usr/lib/postgresql/15/bin'
const own = await ownPrograms()
const versions: [string, Programs][] = [
  ['18', own],
  ...(existsSync(debian) ? ([['15', { ...own, folder: debian }]] as [string, Programs][]) : []),
]
const ids = async (url: string) => (await tryDatabase(url)).findings.map(({ id }) => id)

describe.each(versions)('a main database and its copy, PostgreSQL %s', (version, programs) => {
  let pair: PostgresPair
  beforeAll(async () => {
    pair = await startPair({ programs })
  }, 60_000)
  afterAll(() => pair.close())

  test('are told apart, in the order of the URL, with everything about each', async () => {
    const found = await tryDatabase(pair.url({ servers: [pair.standby, pair.primary] }))
    expect(found.state).toBe('warn')
    const [copy, main] = found.hosts
    expect(main).toMatchObject({
      host: pair.primary.place,
      state: 'ok',
      role: 'main',
      version: expect.stringMatching(new RegExp(`^${version}\\.`)),
      timeline: 1,
      mayCreate: true,
      maySeeReplication: false,
      tls: 'none',
    })
    expect(main?.roundTripMs).toBeLessThan(1_000)
    expect(Math.abs(main?.clockAheadMs ?? 9_999)).toBeLessThan(1_000)
    expect(main?.freeConnections).toBeGreaterThan(30)
    expect(main?.systemId).toMatch(/^\d{19}$/)
    expect(copy).toMatchObject({
      host: pair.standby.place,
      role: 'copy',
      replication: 'asynchronous',
      isFollowing: true,
      lagMs: 0,
      systemId: main?.systemId,
      timeline: 1,
    })
    expect(found.spellings?.jdbc).toMatch(/^jdbc:postgresql:/)
  })

  test('asynchronous replication, and what our user may not see, is said with the lines that mend it', async () => {
    expect(await ids(pair.url())).toEqual(['asynchronous', 'no-monitor', 'fsync'])
    await pair.primary.ask(`GRANT pg_monitor TO ${account.user}`)
    expect(await ids(pair.url())).toEqual(['asynchronous', 'fsync'])
  })

  test('the lines make it synchronous, as the next look finds', async () => {
    const { findings } = await tryDatabase(pair.url())
    const advice = findings.find(({ id }) => id === 'asynchronous')?.advice ?? ''
    const lines = advice.split('\n').filter(line => /^(ALTER|SELECT)/.test(line))
    expect(lines).toHaveLength(3)
    for (const line of lines) await pair.primary.ask(line)
    await eventually('the copy to count', async () => {
      const rows = await pair.primary.ask('SELECT FROM pg_stat_replication WHERE sync_state = $1', ['quorum'])
      return rows.length === 1
    })
    const found = await tryDatabase(pair.url())
    expect(found.findings.map(({ id }) => id)).toEqual(['fsync'])
    expect(found.hosts.map(({ replication }) => replication)).toEqual([undefined, 'applied'])
  })

  test('a copy that applies nothing is behind', async () => {
    await pair.replicate('asynchronous')
    await pair.pauseReplay()
    await pair.primary.ask('CREATE TABLE behind (a int)')
    const { hosts } = await tryDatabase(pair.url())
    expect(hosts[1]).toMatchObject({ role: 'copy', state: 'warn' })
    expect(hosts[1]?.lagMs).toBeGreaterThan(0)
    expect(await ids(pair.url())).toContain('paused')
    await pair.resumeReplay()
    await pair.caughtUp()
  })

  test('a copy that the main database waits for, and that is gone, would make every change hang', async () => {
    await pair.replicate('applied')
    await pair.cutReplication()
    const found = await tryDatabase(pair.url())
    expect(found.state).toBe('bad')
    expect(found.findings[0]).toMatchObject({ id: 'sync-missing' })
    await pair.link.open()
    await pair.replicate('asynchronous')
  })

  test('two main databases: the newer timeline is the one that is used', async () => {
    await pair.promote()
    const found = await tryDatabase(pair.url({ servers: [pair.standby, pair.primary] }))
    expect(found).toMatchObject({ state: 'warn', hosts: [{ state: 'bad' }, { state: 'ok' }] })
    expect(found.findings[0]).toMatchObject({ id: 'two-primaries' })
    expect(found.sentence).toContain(`The main database at ${pair.primary.place}`)
    expect(found.hosts.map(({ timeline }) => timeline)).toEqual([1, 2])
  })

  test('a copy alone cannot be written to', async () => {
    await pair.clone()
    expect(await tryDatabase(urlOf([pair.standby]))).toMatchObject({
      state: 'bad',
      sentence: expect.stringMatching(/is a copy that can only be read/),
    })
  })
})

describe('servers that do not answer', () => {
  test('a frozen one is left within five seconds, and the other is looked at all the same', async () => {
    await using pair = await startPair()
    const door = await openDoor({ host: '127.0.0.1', port: pair.standby.port })
    door.freeze()
    const startedAt = performance.now()
    const found = await tryDatabase(urlOf([pair.primary, door]))
    expect(performance.now() - startedAt).toBeLessThan(8_000)
    expect(found.state).toBe('warn')
    expect(found.hosts[1]).toMatchObject({ state: 'bad', sentence: expect.stringMatching(/did not answer in time/) })
    await door.close()
    await pair.standby.kill9()
    const [, refused] = (await tryDatabase(pair.url())).hosts
    expect(refused?.sentence).toMatch(/refuses connections: is PostgreSQL running there\?$/)
  })

  test('a wrong password is a sentence without it', async () => {
    await using pair = await startPair()
    const url = pair.url({ servers: [pair.primary] }).replace(account.password, 'not-the-one')
    const found = await tryDatabase(url)
    expect(found).toMatchObject({ state: 'bad', sentence: expect.stringMatching(/check the user name, the password/) })
    expect(JSON.stringify({ ...found, spellings: undefined })).not.toContain('not-the-one')
  })

  test('a URL that cannot be read is a sentence', async () => {
    const found = await tryDatabase('postgresql://')
    expect(found).toMatchObject({ state: 'bad', hosts: [], findings: [] })
    expect(found.sentence).toMatch(/\.$/)
    expect(await tryDatabase('embedded')).toMatchObject({ state: 'ok', hosts: [] })
  })
})

describe('single servers', () => {
  test('rights, limits and settings that are missing are found', async () => {
    await using pair = await startPair()
    const { primary } = pair
    const url = urlOf([primary])
    await primary.ask(`ALTER DATABASE ${account.database} OWNER TO postgres`)
    await primary.ask(`ALTER ROLE ${account.user} CONNECTION LIMIT 5`)
    await primary.ask(`ALTER ROLE ${account.user} SET default_transaction_read_only = on`)
    await primary.ask(`ALTER ROLE ${account.user} SET idle_session_timeout = '10s'`)
    const found = await tryDatabase(url)
    const state = (id: string) => found.findings.find(finding => finding.id === id)?.state
    expect(found.state).toBe('bad')
    expect(['no-create', 'read-only', 'no-slots', 'idle-timeout', 'unnamed-copies'].map(state)).toEqual([
      'bad',
      'bad',
      'warn',
      'warn',
      'warn',
    ])
    expect(found.hosts[0]).toMatchObject({ freeConnections: 4, mayCreate: false })
  })

  test('a server whose list does not name this PC comes with the line to add', async () => {
    await using pair = await startPair()
    const { primary } = pair
    const file = path.join(primary.dataFolder, 'pg_hba.conf')
    await writeFile(file, 'host all postgres 127.0.0.1/32 trust\n')
    await primary.ask('SELECT pg_reload_conf()')
    await eventually('the list to count', async () => (await ids(urlOf([primary]))).includes('not-allowed'))
    const { findings } = await tryDatabase(urlOf([primary]))
    const [, line = ''] = findings.find(({ id }) => id === 'not-allowed')?.advice?.split('\n') ?? []
    expect(line).toBe('host "lanthorn" "lanthorn" 127.0.0.1/32 scram-sha-256')
    await writeFile(file, `host all postgres 127.0.0.1/32 trust\n${line}\n`)
    await primary.ask('SELECT pg_reload_conf()')
    await eventually('the line to count', async () => (await tryDatabase(urlOf([primary]))).state !== 'bad')
  })

  test('a database whose encoding cannot hold names is refused', async () => {
    await using pair = await startPair()
    const { primary } = pair
    await primary.ask(`CREATE DATABASE old OWNER ${account.user} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`)
    expect(await ids(urlOf([primary], { database: 'old' }))).toContain('encoding')
  })

  test.skipIf(poolerProgram('pgbouncer') === undefined)('behind PgBouncer in transaction mode', async () => {
    await using pair = await startPair()
    await using pooler = await startPgBouncer(pair.primary)
    const found = await tryDatabase(urlOf([pooler]))
    expect(found.state).not.toBe('bad')
    expect(found.findings.map(({ id }) => id)).toContain('pooled')
    expect(found.hosts[0]).toMatchObject({ role: 'main', state: 'ok' })
    expect(found.hosts[0]).not.toHaveProperty('freeConnections')
  })
})
