import { execFile } from 'node:child_process'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Element } from 'ltx'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Appliance, people, startAppliance } from '../support/appliance.ts'
import { RawClient, type RawTarget } from '../support/raw.ts'
import { archiveOf, GoodClient, rhythm, targetOf } from './good-client.ts'
import { canBreakProcesses, canRun, cpuOf, memoryOf } from './processes.ts'

const run = promisify(execFile)
const megabyte = 2 ** 20
const loginDeadlineMs = 5_000
/** The longest that a message between two others may take while somebody misbehaves. */
const deliveryMsMax = 1_000

let appliance: Appliance
/** Two who chat on whatever happens. */
let romeo: GoodClient
let juliet: GoodClient

beforeAll(async () => {
  appliance = await startAppliance({
    config: {
      settings: {
        'c2s.loginDeadlineSeconds': loginDeadlineMs / 1_000,
        'c2s.failedLoginsPerAccount': 3,
        'c2s.failedLoginsPerAddress': 1_000,
        'c2s.stanzasPerSecond': 1_000,
        'c2s.burstSeconds': 1,
      },
    },
  })
})
afterAll(async () => {
  await romeo?.leave()
  await juliet?.leave()
  await appliance?.cleanup()
})
beforeEach(async () => {
  romeo ??= new GoodClient('romeo')
  juliet ??= new GoodClient('juliet')
  for (const person of [juliet, romeo]) if (!person.isOnline) await person.connect(appliance)
})

async function plainTarget(): Promise<RawTarget> {
  return { ...(await targetOf(appliance)), over: 'tcp', port: appliance.ready.c2s }
}

/** Somebody who is logged in and about to misbehave. */
async function mercutio(): Promise<RawClient> {
  return await RawClient.logIn(await targetOf(appliance), { ...people.mercutio, resource: 'rogue' })
}

let chats = 0

/** The two chat while `misdeed` is under way; resolves with the longest delay, and what the misdeed cost the server. */
async function chatDuring(
  misdeed: () => Promise<unknown>,
): Promise<{ longestMs: number; cpuMs: number; bytes: number }> {
  const [cpu, memory] = [await cpuOf(appliance.pid), await memoryOf(appliance.pid)]
  let isOver = false
  const done = misdeed().finally(() => {
    isOver = true
  })
  done.catch(() => undefined) // reported below, unless the chat itself fails first
  let longestMs = 0
  do {
    const body = `chat${chats++}`
    const since = performance.now()
    romeo.message('juliet@office.test', body)
    await juliet.until(() => juliet.hasReceived(body), 'a message of romeo', 30_000)
    longestMs = Math.max(longestMs, performance.now() - since)
    await rhythm(10)
  } while (!isOver)
  await done
  return {
    longestMs,
    cpuMs: (await cpuOf(appliance.pid)) - cpu,
    bytes: (await memoryOf(appliance.pid)) - memory,
  }
}

describe.skipIf(!canBreakProcesses)('what is too large', () => {
  test('8,000 elements inside each other end that stream at next to no cost', async () => {
    const rogue = await mercutio()
    const nested = `<message to='juliet@office.test'>${'<a>'.repeat(8_000)}${'</a>'.repeat(8_000)}</message>`
    let error: Element | undefined
    const { longestMs, cpuMs, bytes } = await chatDuring(async () => {
      rogue.send(nested)
      error = await rogue.receives(({ name }) => name === 'stream:error')
      await rogue.closed()
    })
    expect(error?.getChild('policy-violation')).toBeDefined()
    expect(longestMs).toBeLessThan(deliveryMsMax)
    expect(cpuMs).toBeLessThan(500)
    expect(bytes).toBeLessThan(50 * megabyte)
  })

  test('a stanza of more than 256 KiB ends that stream; one below arrives', async () => {
    const fits = 'x'.repeat(250 * 1_024)
    const rogue = await mercutio()
    rogue.send(`<message to='juliet@office.test' type='chat'><body>${fits}</body></message>`)
    await juliet.until(() => juliet.arrivals.some(({ body }) => body === fits), 'the long message')
    const { longestMs } = await chatDuring(async () => {
      rogue.send(`<message to='juliet@office.test' type='chat'><body>${'x'.repeat(300 * 1_024)}</body></message>`)
      await rogue.fails('policy-violation')
    })
    expect(longestMs).toBeLessThan(deliveryMsMax)
  })

  test('more than 10 kB before login end the connection, in one element or in many', async () => {
    for (const flood of [`<auth>${'x'.repeat(20_000)}`, '<auth/>'.repeat(3_000), ' '.repeat(20_000)]) {
      const stranger = await RawClient.connect(await targetOf(appliance))
      await stranger.open()
      stranger.send(flood)
      const error = await stranger.receives(({ name }) => name === 'stream:error')
      expect(error.getChild('policy-violation') ?? error.getChild('unsupported-stanza-type'), `${error}`).toBeDefined()
      await stranger.closed()
    }
  })
})

describe('what is too slow', () => {
  test('whoever does not log in is sent away when the time is over, also in the middle of a handshake', {
    timeout: 60_000,
  }, async () => {
    const slow = async (port: number, begin: string): Promise<number> => {
      const since = performance.now()
      const socket = net.connect({ host: '127.0.0.1', port })
      socket.on('error', () => undefined) // the end may be a reset
      socket.write(begin)
      const drip = setInterval(() => socket.write(' '), 300)
      socket.resume()
      await new Promise<void>(resolve => socket.once('close', () => resolve()))
      clearInterval(drip)
      return performance.now() - since
    }
    const header = `<stream:stream to='office.test' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`
    const { c2s, c2sTls } = appliance.ready
    const stays = await Promise.all([slow(c2s, ''), slow(c2s, header), slow(c2sTls, '\x16\x03\x01')])
    process.stdout.write(`abuse: slow strangers stayed ${stays.map(Math.round)} ms\n`)
    // The one with the header is told; one that does not hear the goodbye is cut off some seconds later.
    for (const stay of stays) expect(stay).toBeLessThan(loginDeadlineMs + 8_000)
    expect(stays[1]).toBeGreaterThan(loginDeadlineMs - 100)
  })
})

describe.skipIf(!canBreakProcesses)('somebody who does not read', () => {
  const count = 500
  const filling = 'y'.repeat(30_000)

  test.each([
    ['with stream management', true],
    ['without stream management', false],
  ])('%s costs the server little memory, and gets everything later', { timeout: 90_000 }, async (_, isManaged) => {
    const rogue = await mercutio()
    if (isManaged) await rogue.manage()
    rogue.send('<presence/>')
    await rogue.receives('<presence/>')
    rogue.pause()
    const wanted = Array.from({ length: count }, (_, index) => `${isManaged ? 'managed' : 'plain'}${index} ${filling}`)
    const since = await memoryOf(appliance.pid)
    let most = 0
    const { longestMs } = await chatDuring(async () => {
      for (const [index, body] of wanted.entries()) {
        romeo.message('mercutio@office.test', body)
        if (index % 20 !== 0) continue
        await romeo.settled()
        most = Math.max(most, await memoryOf(appliance.pid))
      }
      await romeo.settled()
    })
    most = Math.max(most, await memoryOf(appliance.pid))
    process.stdout.write(
      `abuse: a reader that stands still, ${isManaged ? 'managed' : 'not managed'}, ${Math.round((count * 30) / 1_000)} MB for it: ` +
        `server grew by ${Math.round((most - since) / megabyte)} MB, others waited ${Math.round(longestMs)} ms at most\n`,
    )
    expect(most - since).toBeLessThan(120 * megabyte)
    expect(longestMs).toBeLessThan(deliveryMsMax)
    rogue.cut()
    await using reader = new GoodClient('mercutio', 'reader')
    await reader.connect(appliance)
    romeo.message('mercutio@office.test', 'last')
    await reader.until(() => reader.arrivals.at(-1)?.body === 'last', 'the messages that waited', 60_000)
    const later = reader.arrivals.map(({ body }) => body).slice(0, -1)
    // With acknowledgements everything comes again; without, what was written to the connection counts as delivered.
    if (isManaged) expect(later.map(first)).toEqual(wanted.map(first))
    else expect(later.map(first)).toEqual(wanted.slice(count - later.length).map(first))
    await reader.settled()
    const archive = await archiveOf(appliance, 'mercutio', 50)
    const prefix = isManaged ? 'managed' : 'plain'
    expect(archive.map(({ body }) => first(body)).filter(body => body.startsWith(prefix))).toEqual(wanted.map(first))
  })

  const first = (body: string): string => body.split(' ', 1)[0] ?? ''
})

describe('somebody who does too much', () => {
  test('is read more slowly; nothing is lost and the order is kept', { timeout: 60_000 }, async () => {
    const rogue = await mercutio()
    const wanted = Array.from({ length: 8_000 }, (_, index) => `flood${index}`)
    const arrived = (): string[] => juliet.arrivals.map(({ body }) => body).filter(body => body.startsWith('flood'))
    const since = performance.now()
    const { longestMs } = await chatDuring(async () => {
      rogue.send(
        wanted.map(body => `<message to='juliet@office.test' type='chat'><body>${body}</body></message>`).join(''),
      )
      await juliet.until(() => juliet.hasReceived('flood7999'), 'the flood', 30_000)
    })
    const tookMs = performance.now() - since
    process.stdout.write(
      `abuse: 8000 messages at once took ${Math.round(tookMs)} ms, others waited ${Math.round(longestMs)} ms at most\n`,
    )
    expect(arrived()).toEqual(wanted)
    // 1,000 a second, the first second's worth at once.
    expect(tookMs).toBeGreaterThan(2_000)
    expect(longestMs).toBeLessThan(deliveryMsMax)
    rogue.cut()
  })

  test('who guesses passwords has to wait longer and longer, and the owner is told to try later', {
    timeout: 30_000,
  }, async () => {
    const guess = async (password: string): Promise<Element> => {
      const stranger = await RawClient.connect(await targetOf(appliance))
      await stranger.open()
      const answer = await stranger.trySasl({ username: 'anna', password })
      stranger.cut()
      return answer
    }
    const waits: number[] = []
    const end = performance.now() + 20_000
    while (waits.length < 2 && performance.now() < end) {
      const answer = await guess('no-idea-at-all')
      const seconds = /in (\d+) seconds/.exec(answer.getChildText('text') ?? '')?.[1]
      if (answer.getChild('not-authorized')) continue
      expect(answer.getChild('temporary-auth-failure'), `${answer}`).toBeDefined()
      waits.push(Number(seconds))
      // Not even the right password helps while the wait lasts.
      expect((await guess(people.anna.password)).getChild('temporary-auth-failure')).toBeDefined()
      await new Promise(resolve => setTimeout(resolve, Number(seconds) * 1_000 + 50))
    }
    expect(waits).toHaveLength(2)
    expect(waits[1]).toBeGreaterThan(waits[0] ?? Number.POSITIVE_INFINITY)
  })

  const hasOwnNetwork = canBreakProcesses && canRun('unshare', ['--net', 'ip', 'link', 'set', 'lo', 'up'])

  test.skipIf(!hasOwnNetwork)(
    '3,000 connections from one address are refused beyond the limit, with a reason (needs root: a network of its own)',
    { timeout: 90_000 },
    async () => {
      const script = fileURLToPath(new URL('./crowd-of-one-address.ts', import.meta.url))
      const address = '192.0.2.1'
      const command = `ip link set lo up && ip address add ${address}/32 dev lo && exec "$0" "$1" ${address}`
      const { stdout } = await run('unshare', ['--net', 'sh', '-c', command, process.execPath, script])
      process.stdout.write(`abuse: one address: ${stdout}`)
      const seen = JSON.parse(stdout)
      expect(seen).toMatchObject({ accepted: seen.limit, refused: 3_000 - seen.limit, silent: 0, again: true })
      expect(seen.growth).toBeLessThan(100 * megabyte)
    },
  )
})

describe('what is not XMPP', () => {
  const broken: [what: string, bytes: Buffer, conditions: string[]][] = [
    [
      'malformed UTF-8',
      Buffer.from([0x3c, 0x6d, 0x3e, 0xc3, 0x28]),
      ['not-well-formed', 'bad-format', 'unsupported-encoding'],
    ],
    [
      'an overlong form',
      Buffer.from([0x3c, 0x6d, 0x3e, 0xc0, 0xaf]),
      ['not-well-formed', 'bad-format', 'unsupported-encoding'],
    ],
    ['a document type', Buffer.from('<!DOCTYPE m [<!ENTITY a "b">]>'), ['restricted-xml']],
    ['a comment', Buffer.from('<!-- hello -->'), ['restricted-xml']],
    ['a processing instruction', Buffer.from('<?php hello ?>'), ['restricted-xml']],
    ['an entity of its own', Buffer.from('<message><body>&a;</body></message>'), ['restricted-xml', 'not-well-formed']],
    ['a NUL', Buffer.from('<message><body>\0</body></message>'), ['not-well-formed']],
  ]

  test.each(broken)('%s ends that stream and touches nobody else', async (_, bytes, conditions) => {
    const rogue = await mercutio()
    const { longestMs } = await chatDuring(async () => {
      rogue.sendBytes(bytes)
      const error = await rogue.receives(({ name }) => name === 'stream:error')
      expect(
        conditions.some(condition => error.getChild(condition)),
        `${error}`,
      ).toBe(true)
      await rogue.closed()
    })
    expect(longestMs).toBeLessThan(deliveryMsMax)
  })

  test('what is put behind STARTTLS in the clear is never answered', async () => {
    const injected = "<iq type='get' id='injected'><ping xmlns='urn:xmpp:ping'/></iq>"
    const victim = await RawClient.connect(await plainTarget())
    await victim.open()
    victim.send(`<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>${injected}`)
    const answer = await victim.receives(({ name }) => name === 'proceed' || name === 'stream:error')
    if (answer.name === 'proceed') {
      await victim.secure()
      await victim.open()
      await victim.sasl(people.mercutio)
      await victim.open()
      await victim.bind('victim')
      expect((await victim.leftovers()).filter(({ attrs }) => attrs.id === 'injected')).toEqual([])
      victim.cut()
    } else await victim.closed()
  })
})
