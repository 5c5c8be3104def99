import { appendFile, cp, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { BackupBench } from '../../test/support/backups.ts'
import { quietLog, testServer } from '../../test/support/database.ts'
import { fingerprint } from '../db/copy/copy.ts'
import { listTables } from '../db/copy/tables.ts'
import { endWork, openWork } from '../db/copy/work.ts'
import { embeddedDatabases } from '../db/embedded/databases.ts'
import { loadBackup } from './load.ts'
import { printManifest, readManifest } from './manifest.ts'

const HOUR = 3_600_000

test('A backup is made, restored for a try, compared, listed, and nothing of the try is left', async () => {
  await using bench = await BackupBench.open()
  await bench.furnish(3, 1_000)
  const name = await bench.make()
  expect(name).toBe('acme-sons-2026-11-22-1200')
  const [backup] = await bench.backups.list()
  expect(backup).toMatchObject({ name, people: 3, messages: 1_000, state: 'ok', version: '0.0.0-test' })
  expect(backup?.sentence).toMatch(/^Proven by a restore on 22 November at 12:00/)
  const names = (await embeddedDatabases(await testServer()).list()).map(one => one.name)
  expect(names.filter(one => one.startsWith('lanthorn_proof'))).toEqual([])
})

test('Only the owner reads a backup, and the secrets in it stand nowhere in the clear', async () => {
  await using bench = await BackupBench.open()
  const folder = path.join(bench.backups.folder, await bench.make())
  expect((await stat(folder)).mode & 0o777).toBe(0o700)
  for (const file of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue
    const at = path.join(file.parentPath, file.name)
    expect((await stat(at)).mode & 0o077).toBe(0)
    expect(await readFile(at, 'latin1')).not.toContain('of the office"}')
  }
})

test('A restored database holds the same rows, and numbers go on where they were', async () => {
  await using bench = await BackupBench.open()
  await bench.furnish(3, 500)
  await bench.chat.parts.settings.set('passwords.iterations', 5_000, 'anna')
  const name = await bench.make()
  await bench.db.exec('DELETE FROM archive')
  await bench.backups.restore(name, undefined)
  await bench.backups.idle()
  expect(bench.backups.job).toMatchObject({ kind: 'restore', state: 'done' })
  expect(bench.notes.join()).toContain(`Restored the backup ${name}`)
  const [connection] = bench.restored
  const client = await openWork(connection!)
  try {
    const manifest = await readManifest(path.join(bench.backups.folder, name))
    for (const table of await listTables(client)) {
      const saved = manifest.tables.find(one => one.name === table.name)
      expect({ table: table.name, ...(await fingerprint(client, table)) }).toEqual({
        table: table.name,
        rows: saved?.rows,
        hash: saved?.fingerprint,
      })
    }
    const { rows } = await client.query(
      `INSERT INTO setting_history (key, changed_by) VALUES ('a', 'b') RETURNING id::int`,
    )
    expect(rows).toEqual([{ id: 2 }])
  } finally {
    await endWork(client)
  }
})

test('A backup that is made while everything is being written is one moment of the office', {
  timeout: 60_000,
}, async () => {
  await using bench = await BackupBench.open()
  await bench.furnish(2, 5_000)
  let goesOn = true
  let pairs = 0
  // Each transaction adds one message and one contact: in every moment there are as many of one as of the other.
  const writer = async (hand: number): Promise<void> => {
    for (let number = 0; goesOn && number < 100_000; number++) {
      await bench.db.transaction(async transaction => {
        const id = `${hand}-${number}@acme.test`
        await transaction.exec(
          `INSERT INTO archive (id, from_jid, to_jid, stanza, in_sender, in_receiver, pending, sender)
           VALUES (gen_random_uuid(), $1, 'x', 'written meanwhile', true, true, false, 'w')`,
          [id],
        )
        await transaction.exec(`INSERT INTO roster_version (username, version) VALUES ($1, 1)`, [id])
      })
      pairs++
    }
  }
  const writers = [1, 2, 3].map(writer)
  while (pairs < 100) await new Promise(setImmediate)
  const before = pairs
  const name = await bench.make()
  const after = pairs
  goesOn = false
  await Promise.all(writers)
  const manifest = await readManifest(path.join(bench.backups.folder, name))
  const rowsOf = (table: string): number => manifest.tables.find(one => one.name === table)?.rows ?? -1
  process.stdout.write(
    `under load: ${before} pairs before, ${after} after, ${rowsOf('roster_version')} in the backup\n`,
  )
  expect(rowsOf('archive') - 5_000).toBe(rowsOf('roster_version'))
  expect(rowsOf('roster_version')).toBeGreaterThanOrEqual(before)
  expect(after).toBeGreaterThan(before)
})

test('Half a backup is never listed, and what it left is removed by the next one', async () => {
  await using bench = await BackupBench.open({
    secretPart: () => Promise.reject(new Error('the power went')),
  })
  await bench.backups.make()
  await bench.backups.idle()
  expect(bench.backups.job?.state).toBe('failed')
  expect(await bench.backups.list()).toEqual([])
  await mkdir(path.join(bench.backups.folder, '.making-acme-sons-2026-11-20-0300-test/tables'), { recursive: true })
  await mkdir(path.join(bench.backups.folder, '.making-acme-sons-2026-11-20-0300-other-pc'), { recursive: true })
  await bench.backups.make()
  await bench.backups.idle()
  const left = await readdir(bench.backups.folder)
  expect(left.filter(name => name !== '.making-acme-sons-2026-11-20-0300-other-pc')).toEqual([])
})

test('Never two things at once', async () => {
  await using bench = await BackupBench.open()
  const [first, second] = await Promise.allSettled([bench.backups.make(), bench.backups.make()])
  expect(first.status).toBe('fulfilled')
  expect(second).toMatchObject({ status: 'rejected', reason: { message: expect.stringContaining('is being made') } })
  await bench.backups.idle()
})

test.each([
  ['a changed byte', 'tables/archive.copy.gz', /archive\.copy\.gz of the backup is damaged/],
  ['a file cut short', 'tables/account.copy.gz', /account\.copy\.gz of the backup is cut short/],
  ['a missing file', 'tables/roster.copy.gz', /roster\.copy\.gz of the backup cannot be read: it is not there/],
  ['missing keys', 'keys.enc', /keys\.enc of the backup cannot be read/],
])('A backup with %s is refused by name before anything is touched', async (how, file, sentence) => {
  await using bench = await BackupBench.open({ freshDatabase: () => Promise.reject(new Error('touched')) })
  await bench.furnish(20, 200)
  const name = await bench.make()
  const at = path.join(bench.backups.folder, name, file)
  if (how === 'a changed byte') await flip(at)
  else if (how === 'a file cut short') await truncate(at, (await stat(at)).size - 1)
  else await rm(at)
  await bench.backups.restore(name, undefined)
  await bench.backups.idle()
  expect(bench.backups.job?.state).toBe('failed')
  expect(bench.backups.job?.sentence).toMatch(sentence)
  // A proof finds the same, and the list says so from then on.
  await bench.backups.prove(name)
  await bench.backups.idle()
  expect((await bench.backups.list())[0]).toMatchObject({ state: 'bad', sentence: expect.stringMatching(sentence) })
})

test('A backup of a newer version is refused, and one whose manifest was changed', async () => {
  await using bench = await BackupBench.open()
  const folder = path.join(bench.backups.folder, await bench.make())
  const manifest = await readManifest(folder)
  const newer = { ...manifest, migrations: [...manifest.migrations, { feature: 'messages', number: 99 }] }
  const other = path.join(bench.dataDir, 'newer')
  await cp(folder, other, { recursive: true })
  await writeFile(path.join(other, 'manifest.json'), printManifest(newer))
  await expect(bench.backups.restore(other, undefined)).rejects.toThrow(/made by a newer Lanthorn .*“messages 99”/)
  await writeFile(path.join(other, 'manifest.json'), printManifest(manifest).replace('"people": 0', '"people": 1'))
  await expect(bench.backups.restore(other, undefined)).rejects.toThrow(/do not fit its seal/)
  await expect(bench.backups.restore(bench.dataDir, undefined)).rejects.toThrow(/is not a backup/)
})

test('A backup of an older version is brought up to date', async () => {
  await using bench = await BackupBench.open()
  await bench.furnish(1, 10)
  const folder = path.join(bench.backups.folder, await bench.make())
  const next = { feature: 'zz-new', number: 1, sql: 'CREATE TABLE brand_new (id int PRIMARY KEY)' }
  const fresh = await embeddedDatabases(await testServer())
  await fresh.create('restored_older')
  try {
    const connection = { ...bench.connection, database: 'restored_older' }
    const progress = { signal: new AbortController().signal, tell: () => undefined }
    const manifest = await readManifest(folder)
    await loadBackup({ folder, manifest, connection, steps: [...bench.steps, next], log: quietLog, progress })
    const client = await openWork(connection)
    const { rows } = await client.query(
      'SELECT (SELECT count(*) FROM archive)::int AS messages, count(*)::int AS news FROM brand_new',
    )
    await endWork(client)
    expect(rows).toEqual([{ messages: 10, news: 0 }])
  } finally {
    await fresh.drop('restored_older')
  }
})

test('By schedule: made at its time, made up after the PC was off, tried again an hour after a failure', async () => {
  let fails = true
  const made = { count: 0 }
  await using bench = await BackupBench.open({
    secretPart: async () => {
      made.count++
      if (fails) throw new Error('no')
      return '{}'
    },
  })
  const { backups, clock } = bench
  const pass = async (milliseconds: number): Promise<number> => {
    clock.now += milliseconds
    await backups.tick()
    await backups.idle()
    return made.count
  }
  // Started at noon without any backup: the one of three o'clock was missed.
  expect(await pass(9 * 60_000)).toBe(0)
  expect(await pass(60_000)).toBe(1)
  expect(backups.trouble.failures).toBe(1)
  expect(await pass(HOUR / 2)).toBe(1)
  expect(await pass(HOUR / 2)).toBe(2)
  expect(backups.trouble).toMatchObject({ failures: 2 })
  expect(bench.notes).toHaveLength(2)
  fails = false
  expect(await pass(HOUR)).toBe(3)
  expect(backups.trouble.failures).toBe(0)
  expect(backups.nextAt).toEqual(new Date(2026, 10, 23, 3, 0))
  expect(await pass(12 * HOUR)).toBe(3)
  expect(await pass(HOUR)).toBe(4)
  bench.settings.enabled = false
  expect(backups.nextAt).toBeUndefined()
  expect(await pass(48 * HOUR)).toBe(4)
})

test('A folder that cannot be written is refused with a sentence, and counts as a failure when it was time', async () => {
  await using bench = await BackupBench.open()
  const file = path.join(bench.dataDir, 'file')
  await appendFile(file, '')
  bench.settings.folder = path.join(file, 'backups')
  await expect(bench.backups.make()).rejects.toThrow(/file.backups, cannot be written: a part of this name is a file/)
  bench.clock.now += HOUR
  await bench.backups.tick()
  expect(bench.backups.trouble).toMatchObject({ failures: 1, sentence: expect.stringContaining('cannot be written') })
})

test('The newest backup is proven again after a month, also while no new ones are made', async () => {
  await using bench = await BackupBench.open()
  const name = await bench.make()
  bench.settings.enabled = false
  const proofs: string[] = []
  bench.backups.onJob(({ kind, state }) => void (kind === 'proof' && state !== 'running' && proofs.push(state)))
  const pass = async (days: number): Promise<number> => {
    bench.clock.now += days * 24 * HOUR
    await bench.backups.tick()
    await bench.backups.idle()
    return proofs.length
  }
  expect(await pass(29)).toBe(0)
  expect(await pass(2)).toBe(1)
  expect(await pass(1)).toBe(1)
  await rm(path.join(bench.backups.folder, name, 'tables/account.copy.gz'))
  expect(await pass(31)).toBe(2)
  expect(proofs).toEqual(['done', 'failed'])
  expect(bench.notes.join()).toContain('was not proven again')
  expect((await bench.backups.list())[0]).toMatchObject({ state: 'bad' })
})

test('A stop while a backup is made leaves nothing of it', async () => {
  await using bench = await BackupBench.open()
  await bench.furnish(1, 20_000)
  await bench.backups.make()
  await bench.backups.close()
  expect(bench.backups.job).toMatchObject({ state: 'failed', sentence: 'The server stops.' })
  expect(await readdir(bench.backups.folder)).toEqual([])
})

test('Old backups go when a new one is proven, and only then', { timeout: 60_000 }, async () => {
  await using bench = await BackupBench.open()
  bench.settings.daily = 2
  bench.settings.weekly = 0
  bench.settings.monthly = 0
  const names: string[] = []
  for (let day = 0; day < 4; day++) {
    names.unshift(await bench.make())
    bench.clock.now += 25 * HOUR
  }
  expect((await bench.backups.list()).map(({ name }) => name)).toEqual(names.slice(0, 2))
})

/** Changes one bit in the middle of a file. */
async function flip(file: string): Promise<void> {
  const bytes = await readFile(file)
  const middle = bytes.length >> 1
  bytes[middle] = (bytes[middle] ?? 0) ^ 1
  await writeFile(file, bytes)
}
