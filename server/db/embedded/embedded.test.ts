import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { quietLog, temporaryDatabaseFolder, temporaryFolder } from '../../../test/support/database.ts'
import { Database } from '../pool.ts'
import { type Embedded, startEmbedded } from './embedded.ts'

const isRoot = process.getuid?.() === 0

async function ask(embedded: Embedded, statement: string) {
  await using database = new Database({ connection: embedded.connection, log: quietLog })
  return database.query(statement)
}

/** Whether a process runs. One that is dead but not collected by its parent yet does not. */
async function isAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0)
    return process.platform !== 'linux' || !/\) Z /.test(await readFile(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false // there is no such process
  }
}

/** A server process of its own that starts the database in `dataDir` and prints its process id. */
async function startElsewhere(dataDir: string): Promise<{ child: ChildProcess; postgresPid: number }> {
  const script = `
    const { startEmbedded } = await import(${JSON.stringify(new URL('./embedded.ts', import.meta.url).href)})
    const { quietLog } = { quietLog: (await import('pino')).default({ level: 'silent' }) }
    const embedded = await startEmbedded({ dataDir: ${JSON.stringify(dataDir)}, log: quietLog })
    console.log(embedded.pid)
    setInterval(() => undefined, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: fileURLToPath(new URL('../../..', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [output] = (await once(child.stdout!, 'data')) as [Buffer]
  return { child, postgresPid: Number(output.toString()) }
}

describe('the embedded database', () => {
  test('is made on the first start, keeps its data, and is stopped in order', async () => {
    const dataDir = await temporaryFolder()
    const first = await startEmbedded({ dataDir, log: quietLog })
    const firstPid = first.pid!
    await ask(first, 'CREATE TABLE note (text text)')
    await ask(first, `INSERT INTO note VALUES ('grüß dich 👋')`)
    await first.close()
    await first.exited
    expect(await isAlive(firstPid)).toBe(false)
    expect(first.pid).toBeUndefined()
    await using second = await startEmbedded({ dataDir, log: quietLog })
    expect(await ask(second, 'SELECT text FROM note')).toEqual([{ text: 'grüß dich 👋' }])
    expect(
      await ask(
        second,
        `SELECT current_setting('data_checksums') AS checksums, current_setting('server_encoding') AS encoding,
                current_setting('synchronous_commit') AS commit, rolsuper FROM pg_roles WHERE rolname = current_user`,
      ),
    ).toEqual([{ checksums: 'on', encoding: 'UTF8', commit: 'on', rolsuper: false }])
    if (process.platform !== 'win32') {
      expect((await stat(path.join(dataDir, 'database'))).mode & 0o777).toBe(0o700)
      expect((await stat(path.join(dataDir, 'database.json'))).mode & 0o777).toBe(0o600)
    }
    await second.close()
    await rm(dataDir, { recursive: true })
  })

  test('is not heard on any network', async () => {
    const dataDir = await temporaryDatabaseFolder()
    await using embedded = await startEmbedded({ dataDir, log: quietLog })
    const [row] = await ask(embedded, `SELECT current_setting('listen_addresses') AS addresses`)
    expect(['', '127.0.0.1']).toContain(row!.addresses)
    await embedded.close()
    await rm(dataDir, { recursive: true })
  })

  test('uses a loopback port where the path of a socket would be too long, and lets nobody in without the password', async () => {
    const parent = await temporaryFolder()
    const dataDir = path.join(parent, 'a'.repeat(100))
    await mkdir(dataDir)
    await using embedded = await startEmbedded({ dataDir, log: quietLog })
    expect(embedded.connection.host).toBe('127.0.0.1')
    expect(await ask(embedded, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
    await using stranger = new Database({ connection: { ...embedded.connection, password: 'guess' }, log: quietLog })
    await expect(stranger.check()).rejects.toMatchObject({ reason: 'denied' })
    await stranger.close()
    await embedded.close()
    await rm(parent, { recursive: true })
  })

  test('lies in a folder that stays private, below folders that are private', async () => {
    const parent = await temporaryFolder()
    const dataDir = path.join(parent, 'private', 'data')
    await mkdir(dataDir, { recursive: true })
    await chmod(path.join(parent, 'private'), 0o700)
    await chmod(dataDir, 0o700)
    await using embedded = await startEmbedded({ dataDir, log: quietLog })
    expect(await ask(embedded, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
    expect((await stat(dataDir)).mode & 0o777).toBe(0o700)
    if (isRoot) expect((await stat(path.join(dataDir, 'database'))).uid).not.toBe(0)
    await embedded.close()
    await rm(parent, { recursive: true })
  })

  test('starts again by itself after its process was killed, and says so', async () => {
    const dataDir = await temporaryDatabaseFolder()
    await using embedded = await startEmbedded({ dataDir, log: quietLog })
    const pid = embedded.pid!
    const told: string[] = []
    const again = new Promise<void>(resolve => {
      embedded.onStatus((status, sentence) => {
        told.push(sentence)
        if (status === 'running') resolve()
      })
    })
    process.kill(pid, 'SIGKILL')
    await again
    expect(told).toEqual([
      'The embedded database ended unexpectedly (signal SIGKILL); it is started again in 1 s.',
      'The embedded database runs again.',
    ])
    expect(embedded.pid).not.toBe(pid)
    expect(await ask(embedded, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
    await embedded.close()
    await rm(dataDir, { recursive: true })
  })

  test('takes over when the server before was killed and left its database running', async () => {
    const dataDir = await temporaryDatabaseFolder()
    const { child, postgresPid } = await startElsewhere(dataDir)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(await isAlive(postgresPid)).toBe(true)
    await using embedded = await startEmbedded({ dataDir, log: quietLog })
    expect(await isAlive(postgresPid)).toBe(false)
    expect(await ask(embedded, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
    await embedded.close()
    await rm(dataDir, { recursive: true })
  })

  test('is not kept from starting by a note of a process that is somebody else now', async () => {
    const dataDir = await temporaryDatabaseFolder()
    const note = path.join(dataDir, 'database', 'postmaster.pid')
    await writeFile(note, `${process.ppid}\n/proc/self/cwd\n1\n5432\n.\n\n\n`)
    await using embedded = await startEmbedded({ dataDir, log: quietLog })
    expect(await readFile(note, 'utf8')).toMatch(new RegExp(`^${embedded.pid}\n`))
    expect(await isAlive(process.ppid)).toBe(true)
    await embedded.close()
    await rm(dataDir, { recursive: true })
  })

  test('makes half-made data again, and an account or database that is missing', async () => {
    const dataDir = await temporaryFolder()
    await mkdir(path.join(dataDir, 'database.new', 'data', 'base'), { recursive: true })
    await writeFile(path.join(dataDir, 'database.new', 'data', 'PG_VERSION'), '18\n')
    const first = await startEmbedded({ dataDir, log: quietLog })
    await using root = new Database({ connection: first.superuser, log: quietLog })
    await root.exec('DROP DATABASE lanthorn')
    await root.exec('DROP ROLE lanthorn')
    await root.close()
    await first.close()
    await using second = await startEmbedded({ dataDir, log: quietLog })
    expect(await ask(second, 'SELECT current_user AS me')).toEqual([{ me: 'lanthorn' }])
    await second.close()
    await rm(dataDir, { recursive: true })
  })

  test('can be cut short while it is made, and starts the next time', async () => {
    const dataDir = await temporaryFolder()
    const cut = new AbortController()
    const starting = startEmbedded({ dataDir, log: quietLog, signal: cut.signal })
    cut.abort()
    await expect(starting).rejects.toThrow(/could not be made|aborted/)
    await using embedded = await startEmbedded({ dataDir, log: quietLog })
    expect(await ask(embedded, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
    await embedded.close()
    await rm(dataDir, { recursive: true })
  })

  test('says what to do when the data is of another PostgreSQL, or its passwords are gone', async () => {
    const dataDir = await temporaryDatabaseFolder()
    const version = path.join(dataDir, 'database', 'PG_VERSION')
    const real = await readFile(version, 'utf8')
    await writeFile(version, '17\n')
    await expect(startEmbedded({ dataDir, log: quietLog })).rejects.toThrow(
      /was made by PostgreSQL 17, but this Lanthorn brings PostgreSQL 18/,
    )
    await writeFile(version, real)
    await rm(path.join(dataDir, 'database.json'))
    await expect(startEmbedded({ dataDir, log: quietLog })).rejects.toThrow(
      /database.json with the passwords .* is missing/,
    )
    await rm(dataDir, { recursive: true })
  })
})

describe('programs', () => {
  test('that are not there are told as a sentence', async () => {
    const dataDir = await temporaryFolder()
    await expect(startEmbedded({ dataDir, log: quietLog, binaries: '/nowhere' })).rejects.toThrow(
      'The PostgreSQL programs are not in /nowhere: install Lanthorn again, or name an outside database.',
    )
    await rm(dataDir, { recursive: true })
  })
})
