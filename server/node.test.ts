import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DataFolderFault, defaultDataFolder, openDataFolder } from './node.ts'

let temporary: string
beforeAll(async () => {
  temporary = await mkdtemp(path.join(tmpdir(), 'lanthorn-test-'))
})
afterAll(() => rm(temporary, { recursive: true }))

const folder = (name: string) => path.join(temporary, name)

describe('the data folder', () => {
  test('is made private, keeps who it is, and counts its starts', async () => {
    const first = await openDataFolder(folder('new/office'))
    expect(first.isEmpty).toBe(true)
    expect(first.state).toMatchObject({ format: 1, epoch: 1 })
    await first.update({ office: 'ACME', domain: 'office.test' })
    await first.close()
    const second = await openDataFolder(folder('new/office'))
    expect(second.isEmpty).toBe(false)
    expect(second.state).toEqual({ ...first.state, epoch: 2 })
    await second.close()
    if (process.platform !== 'win32') {
      expect((await stat(folder('new/office'))).mode & 0o777).toBe(0o700)
      expect((await stat(folder('new/office/node.json'))).mode & 0o777).toBe(0o600)
    }
  })

  test('keeps secrets apart from the rest and makes random ones once', async () => {
    await using node = await openDataFolder(folder('secrets'))
    const token = await node.randomSecret('cluster')
    await node.saveSecrets({ databaseUrl: 'postgresql://me:hidden@db/x', old: 'x' })
    await node.saveSecrets({ old: undefined })
    expect(await node.randomSecret('cluster')).toBe(token)
    expect(node.secret('old')).toBeUndefined()
    expect(Buffer.from(token, 'base64url')).toHaveLength(32)
    expect(await readFile(node.file('node.json'), 'utf8')).not.toContain('hidden')
    expect(JSON.parse(await readFile(node.file('secrets.json'), 'utf8'))).toEqual({
      cluster: token,
      databaseUrl: 'postgresql://me:hidden@db/x',
    })
  })

  test('writes changes made at the same time one after the other and loses none', async () => {
    await using node = await openDataFolder(folder('together'))
    await Promise.all([
      node.update({ office: 'ACME' }),
      node.update({ domain: 'a.test' }),
      node.update({ nodeName: 'x' }),
    ])
    expect(JSON.parse(await readFile(node.file('node.json'), 'utf8'))).toMatchObject({
      office: 'ACME',
      domain: 'a.test',
      nodeName: 'x',
    })
  })

  test('lets one process in at a time and says which one has it', async () => {
    const first = await openDataFolder(folder('shared'))
    await expect(openDataFolder(folder('shared'))).rejects.toThrow(
      `is in use by another Lanthorn (process ${process.pid})`,
    )
    await first.close()
    await (await openDataFolder(folder('shared'))).close()
  })

  test('is free again when its process was killed', async () => {
    const script = `
      const { openDataFolder } = await import(${JSON.stringify(new URL('./node.ts', import.meta.url).href)})
      await openDataFolder(${JSON.stringify(folder('killed'))})
      console.log('open')
      setInterval(() => undefined, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    await expect(openDataFolder(folder('killed'))).rejects.toThrow(`process ${child.pid}`)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const node = await openDataFolder(folder('killed'))
    expect(node.state.epoch).toBe(2)
    await node.close()
  })

  test('is free again when the number of its process belongs to another one now, or the lock was torn', async () => {
    const node = await openDataFolder(folder('stale'))
    await node.close()
    await writeFile(folder('stale/lock'), JSON.stringify({ pid: process.ppid, birth: 'of another boot 1' }))
    await (await openDataFolder(folder('stale'))).close()
    await writeFile(folder('stale/lock'), '')
    await (await openDataFolder(folder('stale'))).close()
  })

  test('goes to exactly one of many that start together on a stale lock', async () => {
    await (await openDataFolder(folder('race'))).close()
    await writeFile(folder('race/lock'), JSON.stringify({ pid: 999_999_999, birth: '' }))
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => openDataFolder(folder('race'))))
    const opened = outcomes.filter(outcome => outcome.status === 'fulfilled')
    expect(opened).toHaveLength(1)
    await opened[0]!.value.close()
  })

  test('refuses a folder of a newer version, with other files, or damaged, and leaves it free', async () => {
    await (await openDataFolder(folder('newer'))).close()
    await writeFile(folder('newer/node.json'), JSON.stringify({ format: 2, nodeId: 'x', nodeName: 'x', epoch: 1 }))
    await expect(openDataFolder(folder('newer'))).rejects.toThrow(
      /newer version of Lanthorn \(format 2, this one knows 1\)/,
    )
    await writeFile(folder('newer/node.json'), '{ "format": 1, ')
    await expect(openDataFolder(folder('newer'))).rejects.toThrow(/node.json is damaged/)
    await rm(folder('newer/node.json'))
    await writeFile(folder('newer/holiday.jpg'), '')
    await expect(openDataFolder(folder('newer'))).rejects.toThrow(/holds other files \(holiday.jpg\)/)
    await rm(folder('newer/holiday.jpg'))
    await (await openDataFolder(folder('newer'))).close()
  })

  test('says why a folder cannot be used', async () => {
    await writeFile(folder('file'), '')
    const opening = openDataFolder(folder('file/inside'))
    await expect(opening).rejects.toThrow(DataFolderFault)
    await expect(opening).rejects.toThrow(/a part of this name is a file. Choose another with --data./)
  })

  test('has a usual place on each system', () => {
    expect(defaultDataFolder({ LOCALAPPDATA: 'C:\\Users\\me\\AppData\\Local' }, 'win32')).toBe(
      'C:\\Users\\me\\AppData\\Local\\Lanthorn',
    )
    expect(defaultDataFolder({}, 'darwin')).toMatch(/Library\/Application Support\/Lanthorn$/)
    const linux = defaultDataFolder({ XDG_DATA_HOME: '/home/me/data' }, 'linux')
    expect(linux).toBe(process.getuid?.() === 0 ? '/var/lib/lanthorn' : '/home/me/data/lanthorn')
  })
})
