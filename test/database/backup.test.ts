/** Backups the whole way, with real clients: made under load, all PCs lost, the office made anew; and back on a running office. */
import { spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { type BackupJob, listBackups, makeBackup, restoreBackup } from '../../server/admin/contract/backups.ts'
import { getDatabase, removeOldDatabase } from '../../server/admin/contract/database.ts'
import { listHistory } from '../../server/admin/contract/logs.ts'
import { removePerson } from '../../server/admin/contract/people.ts'
import { getRecovery } from '../../server/admin/contract/setup.ts'
import { type Client, connect } from '../../server/cli/client.ts'
import { addressOf, type Connection } from '../../server/db/address.ts'
import { printDatabaseUrl } from '../../server/db/url.ts'
import { openDataFolder } from '../../server/node.ts'
import { archiveOf, GoodClient, rhythm } from '../faults/good-client.ts'
import { launch, serverMain } from '../faults/launch.ts'
import { type Appliance, startAppliance } from '../support/appliance.ts'
import { freshDatabase } from '../support/database.ts'

const domain = 'office.test'
const UNACKNOWLEDGED_MAX = 100

test('All PCs are lost: the office lives again from a backup made under load', { timeout: 240_000 }, async () => {
  const lost = await startAppliance()
  const safe = await mkdtemp(path.join(tmpdir(), 'lanthorn-safe-'))
  const dataDir = path.join(safe, 'data')
  try {
    const call = await connect(lost.dataDir)
    const { recoveryKey, officeId } = await call(getRecovery)
    const authority = await lost.officeCa()
    const load = await Load.start(lost)
    await load.until(200)
    const before = [...load.acknowledged]
    const job = await over(call, await call(makeBackup))
    expect(job).toMatchObject({ kind: 'backup', state: 'done', percent: 100 })
    await load.until(load.acknowledged.length + 50)
    const after = await load.stop()
    const { backups, folder } = await call(listBackups)
    expect(backups).toMatchObject([{ name: job.name, state: 'ok', people: 4 }])
    const backup = path.join(safe, job.name)
    await cp(path.join(folder, job.name), backup, { recursive: true })
    await lost.kill()
    await lost.cleanup()

    const wrong = await command(['restore', backup, '--data', dataDir], `${recoveryKey.replace(/./, other)}\n`)
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('recovery key does not fit') })
    const right = await command(['restore', backup, '--data', dataDir], `${recoveryKey.toLowerCase()}\n`)
    expect(right).toMatchObject({ code: 0, stdout: expect.stringContaining(`ACME (${domain}) is as it was`) })
    // As if the power had gone just before the end: done again, it is done from the beginning.
    const node = path.join(dataDir, 'node.json')
    const { domain: _domain, ...unfinished } = JSON.parse(await readFile(node, 'utf8')) as { domain: string }
    await writeFile(node, JSON.stringify(unfinished))
    await writeFile(path.join(dataDir, 'restoring'), '')
    expect(await command(['restore', backup, '--data', dataDir], recoveryKey)).toMatchObject({ code: 0, stderr: '' })
    const again = await command(['restore', backup, '--data', dataDir], recoveryKey)
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('holds the office ACME already') })

    await using anew = await startAppliance({ dataDir })
    expect(anew.ready).toMatchObject({ domain, node: 'front-desk' })
    expect(await anew.officeCa()).toBe(authority)
    expect(await (await connect(dataDir))(getRecovery)).toMatchObject({ recoveryKey, officeId })
    const archive = (await archiveOf(anew, 'juliet')).map(({ body }) => body)
    process.stdout.write(
      `lost office: ${before.length} acknowledged before the backup, ${after.length} at the end, ${archive.length} in it\n`,
    )
    expect(archive).toHaveLength(backups[0]?.messages ?? -1)
    expect(new Set(archive).size).toBe(archive.length)
    expect(before.filter(body => !archive.includes(body))).toEqual([])
    // Old passwords, and everything goes on.
    await using romeo = new GoodClient('romeo')
    await using juliet = new GoodClient('juliet')
    await romeo.connect(anew)
    await juliet.connect(anew)
    romeo.message(`juliet@${domain}`, 'alive')
    await juliet.until(() => juliet.hasReceived('alive'), 'a message in the new office')
  } finally {
    await lost.cleanup()
    await rm(safe, { recursive: true, force: true })
  }
})

test('A folder into which a backup was restored half is not taken for an office', { timeout: 60_000 }, async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'lanthorn-half-'))
  try {
    const data = await openDataFolder(path.join(folder, 'data'))
    await writeFile(data.file('restoring'), 'somewhere\n')
    await data.close()
    const outcome = await launch(folder, undefined)
    expect(outcome).toMatchObject({ code: 2, stderr: expect.stringContaining('was interrupted: do it again') })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('A running office goes back to a backup, at the same ports, and what was there is kept', {
  timeout: 240_000,
}, async () => {
  await using appliance = await startAppliance()
  const call = await connect(appliance.dataDir)
  await using romeo = new GoodClient('romeo')
  await using juliet = new GoodClient('juliet')
  await romeo.connect(appliance)
  await juliet.connect(appliance)
  romeo.message(`juliet@${domain}`, 'before')
  await romeo.settled()
  const data = ['--data', appliance.dataDir]
  const made = await command(['backup', ...data])
  expect(made).toMatchObject({ code: 0, stdout: expect.stringContaining('restored for a try and compared') })
  const listed = await command(['backup', 'list', ...data])
  expect(listed).toMatchObject({ code: 0, stdout: expect.stringContaining('Proven by a restore') })
  const name = /acme-[\d-]+/.exec(listed.stdout)?.[0] ?? ''
  romeo.message(`juliet@${domain}`, 'after')
  await romeo.settled()
  await call(removePerson, { params: { username: 'mercutio' } })

  await expect(call(restoreBackup, { params: { name }, body: { confirm: 'other.test' } })).rejects.toThrow(
    /type the domain/,
  )
  expect(await command(['restore', name, ...data])).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') })
  const began = performance.now()
  const restored = await command(['restore', name, '--yes', ...data])
  process.stdout.write(`restore of a running office: ${Math.round(performance.now() - began)} ms\n`)
  expect(restored).toMatchObject({ code: 0, stdout: expect.stringContaining('The office is as it was on') })
  // Everybody was sent away, comes back to the same port with the same password, and finds what the backup holds.
  await Promise.all([romeo.over(), juliet.over()])
  expect((await archiveOf(appliance, 'juliet')).map(({ body }) => body)).toEqual(['before'])
  await using mercutio = new GoodClient('mercutio')
  await mercutio.connect(appliance)
  await juliet.connect(appliance)
  mercutio.message(`juliet@${domain}`, 'back again')
  await juliet.until(() => juliet.hasReceived('back again'), 'a message after the restore')
  const { entries } = await call(listHistory)
  expect(entries[0]?.sentence).toContain(`Restored the backup ${name}`)
  // The former database is kept until somebody removes it; the one in use is not offered for that.
  const { old } = await call(getDatabase)
  expect(old).toMatchObject([{ place: 'built in (lanthorn)' }])
  await call(removeOldDatabase, { params: { id: old[0]?.id ?? '' } })
  expect((await call(getDatabase)).old).toEqual([])
  // It is the same after the next start.
  await mercutio.leave()
  await juliet.leave()
  await appliance.restart()
  expect((await archiveOf(appliance, 'juliet')).map(({ body }) => body)).toEqual(['before', 'back again'])
})

test('An office on PostgreSQL servers of its own is backed up, proven, and restored into an empty database there', {
  timeout: 240_000,
}, async () => {
  const [first, second] = [await freshDatabase(), await freshDatabase()]
  try {
    await using appliance = await startAppliance({ config: { database: { url: urlOf(first) } } })
    const call = await connect(appliance.dataDir)
    await using romeo = new GoodClient('romeo')
    await romeo.connect(appliance)
    romeo.message(`juliet@${domain}`, 'before')
    await romeo.settled()
    const made = await over(call, await call(makeBackup))
    expect(made).toMatchObject({ state: 'done', sentence: expect.stringContaining('restored for a try and compared') })
    const restore = async (url: string | undefined): Promise<BackupJob> => {
      const body = { confirm: domain, ...(url !== undefined && { url }) }
      return over(call, await call(restoreBackup, { params: { name: made.name }, body }))
    }
    expect(await restore(undefined)).toMatchObject({
      state: 'failed',
      sentence: expect.stringContaining('make an empty database there'),
    })
    expect(await restore(urlOf(first))).toMatchObject({
      state: 'failed',
      sentence: expect.stringContaining('holds an office already'),
    })
    romeo.message(`juliet@${domain}`, 'after')
    await romeo.settled()
    expect(await restore(urlOf(second))).toMatchObject({ kind: 'restore', state: 'done' })
    expect((await archiveOf(appliance, 'juliet')).map(({ body }) => body)).toEqual(['before'])
    await romeo.leave()
    await appliance.restart()
    expect((await archiveOf(appliance, 'juliet')).map(({ body }) => body)).toEqual(['before'])
  } finally {
    await first.drop()
    await second.drop()
  }
})

const urlOf = ({ connection }: { connection: Connection }): string => printDatabaseUrl(addressOf(connection))

/** People who chat and change their contact lists without a pause. */
class Load {
  readonly #romeo: GoodClient
  readonly #running: Promise<void>
  #goesOn = true

  static async start(appliance: Appliance): Promise<Load> {
    const romeo = new GoodClient('romeo')
    await romeo.connect(appliance)
    return new Load(romeo)
  }

  constructor(romeo: GoodClient) {
    this.#romeo = romeo
    this.#running = this.#run()
  }

  get acknowledged(): readonly string[] {
    return this.#romeo.acknowledged
  }

  async until(count: number): Promise<void> {
    await this.#romeo.until(() => this.acknowledged.length >= count, `${count} acknowledged messages`, 60_000)
  }

  /** @returns all that was acknowledged */
  async stop(): Promise<readonly string[]> {
    this.#goesOn = false
    await this.#running
    await this.#romeo.settled(60_000)
    await this.#romeo.leave()
    return this.acknowledged
  }

  async #run(): Promise<void> {
    for (let number = 0; this.#goesOn && number < 20_000; number++) {
      this.#romeo.message(`juliet@${domain}`, `m${number}`)
      if (number % 10 === 0) {
        this.#romeo.stanza(
          `<iq type='set' id='r${number}'><query xmlns='jabber:iq:roster'><item jid='c${number}@${domain}'/></query></iq>`,
        )
        this.#romeo.askForAck()
        // As fast as the server acknowledges, so that no mountain waits at the end.
        await this.#romeo.until(
          () => number - this.acknowledged.length < UNACKNOWLEDGED_MAX,
          'an acknowledgement',
          60_000,
        )
        await rhythm(5)
      }
    }
  }
}

/** Waits until a job is over. */
async function over(call: Client, begun: BackupJob): Promise<BackupJob> {
  const end = performance.now() + 120_000
  while (performance.now() < end) {
    const { job } = await call(listBackups).catch(() => ({ job: begun }))
    if (job && job.state !== 'running') return job
    await rhythm(100)
  }
  throw new Error('the job did not end')
}

/** Runs the program with something on its standard input. */
function command(args: string[], input = ''): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [serverMain, ...args], { env: { ...process.env, NODE_OPTIONS: '' } })
  const outcome = { code: -1, stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', text => {
    outcome.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', text => {
    outcome.stderr += text
  })
  child.stdin.end(input)
  return new Promise(resolve => {
    child.on('close', code => resolve({ ...outcome, code: code ?? -1 }))
  })
}

/** Another letter of the recovery key's alphabet. */
const other = (letter: string): string => (letter === '7' ? '8' : '7')
