import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import http from 'node:http'
import type net from 'node:net'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { temporaryFolder } from '../../test/support/database.ts'
import { aFile, aManifest, newKeys, publish } from '../../test/updates/publisher.ts'
import { Feed, feedTrouble } from './feed.ts'
import type { ManifestFile } from './manifest.ts'

const keys = newKeys()
const never = new AbortController().signal
const content = Buffer.alloc(300_000, 'a package ')
let folder: string
let file: ManifestFile
let place: string
/** What the web server does instead of giving the file. */
let odd: ((response: http.ServerResponse) => void) | undefined
let asked: string[]

const server = http.createServer((request, response) => {
  asked.push(request.url ?? '')
  if (odd) return odd(response)
  readFile(path.join(folder, path.basename(request.url ?? ''))).then(
    bytes => response.end(bytes),
    () => response.writeHead(404).end(),
  )
})
beforeAll(async () => {
  folder = await temporaryFolder()
  await writeFile(path.join(folder, 'lanthorn.deb'), content)
  file = await aFile(path.join(folder, 'lanthorn.deb'), 'deb')
  await publish(folder, aManifest({ files: [file] }), keys)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  place = `http://127.0.0.1:${(server.address() as net.AddressInfo).port}/lanthorn`
})
beforeEach(() => {
  odd = undefined
  asked = []
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

async function fetchTo(feed: Feed, wanted: ManifestFile = file): Promise<string> {
  const to = path.join(await temporaryFolder(), wanted.name)
  await feed.fetch(wanted, to)
  return to
}

describe('a place of updates', () => {
  test('is nothing, a folder of the web or the office network, or one of the file system', () => {
    for (const feed of ['', 'https://updates.example/lanthorn/', 'http://10.0.0.5:8080', path.resolve('/srv/updates')])
      expect(feedTrouble(feed), feed).toBeUndefined()
    for (const feed of ['updates', './updates', 'ftp://updates.example', 'file:///srv', 'javascript:1'])
      expect(feedTrouble(feed), feed).toMatch(/^“.*” is no place of updates: /)
    expect(feedTrouble('https://anna:secret@updates.example/')).toMatch(/no user name/)
    expect(feedTrouble('https://updates.example/?a=b')).toMatch(/no \? and no #/)
  })

  test('gives the list and a file, whichever it is', async () => {
    for (const feed of [new Feed(folder, never), new Feed(place, never), new Feed(`${place}//`, never)]) {
      const { bytes, signature } = await feed.list()
      expect([bytes, signature]).toEqual([
        await readFile(path.join(folder, 'lanthorn-updates.json')),
        await readFile(path.join(folder, 'lanthorn-updates.json.sig')),
      ])
      expect(await readFile(await fetchTo(feed))).toEqual(content)
    }
    expect(asked).toContain('/lanthorn/lanthorn-updates.json')
  })

  test('says how far a file is', async () => {
    const told: number[] = []
    await new Feed(folder, never).fetch(file, path.join(await temporaryFolder(), file.name), bytes => told.push(bytes))
    expect(told.at(-1)).toBe(content.length)
    expect(told).toEqual(told.toSorted((a, b) => a - b))
  })

  test('that gives another file than the list names leaves nothing behind', async () => {
    for (const feed of [new Feed(folder, never), new Feed(place, never)]) {
      const sha256 = createHash('sha256').update('something else').digest('hex')
      const wrong = [
        [{ ...file, sha256 }, /is not the one that the list of updates names/],
        [{ ...file, bytes: file.bytes - 1 }, /is larger than the list of updates says/],
        [{ ...file, bytes: file.bytes + 1 }, /ended after 300000 of 300001 bytes/],
        [{ ...file, name: 'missing.deb' }, /There is no file/],
      ] as const
      for (const [wanted, why] of wrong) {
        const target = await temporaryFolder()
        await expect(feed.fetch(wanted, path.join(target, 'lanthorn.deb'))).rejects.toThrow(why)
        expect(await readdir(target)).toEqual([])
      }
    }
  })

  test('that is not there, or no such place, is a sentence', async () => {
    await expect(new Feed(path.join(folder, 'nowhere'), never).list()).rejects.toThrow(
      /^There is no file lanthorn-updates\.json in /,
    )
    await mkdir(path.join(folder, 'odd', 'lanthorn-updates.json'), { recursive: true })
    await expect(new Feed(path.join(folder, 'odd'), never).list()).rejects.toThrow(/is no file\.$/)
    await expect(new Feed('http://127.0.0.1:9/', never).list()).rejects.toThrow(/cannot be reached: /)
  })
})

describe('a server that is up to something', () => {
  const listOf = (times = {}) => new Feed(place, never, times).list()

  test('and sends without end is cut off', async () => {
    odd = response => {
      const more = (): void => void (response.writable && response.write(Buffer.alloc(64 * 1024, 'x'), more))
      more()
    }
    await expect(listOf()).rejects.toThrow(/is larger than such a file can be/)
    await expect(fetchTo(new Feed(place, never))).rejects.toThrow(/is larger than the list of updates says/)
  })

  test('and answers nothing, or falls silent, is given up', async () => {
    odd = () => undefined
    await expect(listOf({ listMs: 50 })).rejects.toThrow(/took too long with the file lanthorn-updates\.json/)
    odd = response => void response.write('a little')
    await expect(fetchTo(new Feed(place, never, { silenceMs: 50 }))).rejects.toThrow(/took too long/)
  })

  test('and sends from place to place is not followed for ever, and never from https to http', async () => {
    odd = response => void response.writeHead(302, { location: `${place}/again` }).end()
    await expect(listOf()).rejects.toThrow(/from one place to the next without end/)
    expect(asked).toHaveLength(6)
    odd = response => void response.writeHead(302, { location: 'file:///etc/passwd' }).end()
    await expect(listOf()).rejects.toThrow(/sends to a place that is not used/)
  })

  test('and answers with a fault is one', async () => {
    odd = response => void response.writeHead(500).end('oh')
    await expect(listOf()).rejects.toThrow(/answered with 500 instead of the file/)
    odd = response => void response.destroy()
    await expect(listOf()).rejects.toThrow(/cannot be reached/)
  })

  test('ends at once when nobody wants it any more', async () => {
    odd = () => undefined
    const abort = new AbortController()
    const target = await temporaryFolder()
    const fetching = new Feed(place, abort.signal).fetch(file, path.join(target, 'lanthorn.deb'))
    abort.abort()
    await expect(fetching).rejects.toThrow()
    expect(existsSync(path.join(target, 'lanthorn.deb.part'))).toBe(false)
  })
})
