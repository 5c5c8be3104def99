import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto'
import dgram from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import tls from 'node:tls'
import pino from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { type CertifiedKey, createAuthority, issue } from '../../net/ca.ts'
import { askAbout } from '../pairing/dial.ts'
import { JoinHost } from '../pairing/host.ts'
import type { AboutHere } from '../pairing/messages.ts'
import { officeIdOf, spkiOf } from '../pairing/office-id.ts'
import { JoinFault } from '../welcome.ts'
import { type BeaconOptions, beaconDefaults, type NetworkBeacon, openBeacon } from './beacon.ts'
import { Discovery, type DiscoveryOptions } from './discovery.ts'
import { type Place, placesNow } from './interfaces.ts'
import { type Announcement, beaconPacket, isSigned, packetBytesMax, queryPacket, readPacket } from './packet.ts'

/** Waits for something that other sockets bring about. */
const within = (check: () => void) => vi.waitFor(check, { timeout: 10_000, interval: 10 })
const log = pino({ level: 'silent' })
const token = 'a token of the autosetup file, long enough'
const loopback: Place = { interface: 'lo', family: 4, address: '127.0.0.1', multicast: '127.0.0.1' }
const ends: (() => unknown)[] = []
let authority: CertifiedKey
let stranger: CertifiedKey
let identity: CertifiedKey

beforeAll(async () => {
  authority = await createAuthority('ACME')
  stranger = await createAuthority('ACME')
  identity = await issue(authority, { name: 'front', dnsNames: [], addresses: [] })
})
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

const signerOf = (pair: CertifiedKey) => ({
  key: createPrivateKey(pair.key),
  spki: spkiOf(new X509Certificate(pair.certificate).publicKey),
})
const front = (port: number, changes: Partial<Announcement> = {}): Announcement => ({
  nodeId: 'front',
  name: 'FRONT-DESK',
  epoch: 3,
  port,
  version: '0.4.0',
  hazelcast: '5.7',
  ...changes,
})
const office: AboutHere = {
  kind: 'office',
  office: 'ACME',
  domain: 'acme.example',
  node: 'FRONT-DESK',
  nodeId: 'front',
  people: 12,
  version: '0.4.0',
  hazelcast: '5.7',
}

/** An office's join side. */
async function openOffice(about: (asked: number) => AboutHere = () => office, pair = { authority, identity }) {
  let asked = 0
  const host = new JoinHost({
    authority: pair.authority.certificate,
    about: () => about(asked),
    admit: () => Promise.reject(new Error('not asked for here')),
    token,
    log,
  })
  const { certificate, key } = pair.identity
  const server = tls.createServer({ cert: certificate, key, minVersion: 'TLSv1.3', ALPNProtocols: ['lanthorn-join'] })
  server.on('secureConnection', socket => {
    asked += 1
    host.take(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = async () => {
    host.close()
    await new Promise(resolve => server.close(resolve))
  }
  ends.push(close)
  return { port: (server.address() as AddressInfo).port, close, asked: () => asked }
}

/** A UDP port that nobody uses. */
async function freePort(): Promise<number> {
  const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  return port
}

let canMulticast: boolean | undefined
/** Whether this system lets packets to a group through on loopback. */
async function isMulticastThere(): Promise<boolean> {
  if (canMulticast !== undefined) return canMulticast
  const port = await freePort()
  const [a, b] = [beaconAt({ port }), beaconAt({ port })]
  const heard = new Promise<boolean>(resolve => {
    b.onBeacon(() => resolve(true))
    setTimeout(resolve, 1_500, false)
  })
  a.announce({ authority, announcement: () => front(1) })
  canMulticast = await heard
  return canMulticast
}

function beaconAt(options: Partial<BeaconOptions>): NetworkBeacon {
  const beacon = openBeacon({
    log,
    places: () => [loopback],
    timings: { everyMs: 100, lookMs: 100, answerMs: 50 },
    ...options,
  })
  ends.push(() => beacon.close())
  return beacon
}

function discover(options: Partial<DiscoveryOptions>) {
  const clock = { ms: Date.now() }
  const discovery = new Discovery({
    self: () => ({ nodeId: 'me', version: '0.4.1' }),
    log,
    now: () => clock.ms,
    ...options,
  })
  ends.push(() => discovery.close())
  return { discovery, clock }
}

/** A beacon in memory: what is heard is said by the test. */
function ear() {
  const listeners = new Set<Parameters<NetworkBeacon['onBeacon']>[0]>()
  const beacon = {
    ask: () => undefined,
    onBeacon: (listener: Parameters<NetworkBeacon['onBeacon']>[0]) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  } as unknown as NetworkBeacon
  const say = (packet: Buffer, host = '127.0.0.1') => {
    const read = readPacket(packet)
    if (read?.kind === 'beacon') for (const listener of listeners) listener(read, host)
  }
  return { beacon, say }
}

describe('A packet', () => {
  test('says who is there, and nothing that was changed on the way counts', () => {
    const packet = beaconPacket(front(5275), signerOf(authority), 7, 1_700_000_000_000)
    expect(packet.length).toBeLessThan(packetBytesMax)
    const read = readPacket(packet)
    if (read?.kind !== 'beacon') throw new Error('not read')
    expect(read).toMatchObject({ ...front(5275), counter: 7, time: 1_700_000_000_000 })
    expect(read.officeId).toBe(officeIdOf(authority.certificate))
    expect(isSigned(read)).toBe(true)
    for (let bit = 0; bit < packet.length * 8; bit += 3) {
      const changed = Buffer.from(packet)
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      const other = readPacket(changed)
      expect(other?.kind === 'beacon' && isSigned(other), `bit ${bit}`).toBe(false)
    }
    for (let length = 0; length < packet.length; length++)
      expect(readPacket(packet.subarray(0, length))).toBeUndefined()
    expect(readPacket(Buffer.concat([packet, Buffer.alloc(1)]))).toBeUndefined()
    expect(readPacket(queryPacket(randomBytes(8)))).toEqual({ kind: 'query' })
  })

  test('of any bytes is read or refused, never thrown at', () => {
    const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000)
    let state = seed
    const next = (below: number) => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
      return Math.floor((state / 2_147_483_648) * below)
    }
    const packet = beaconPacket(front(5275), signerOf(authority), 1, 1)
    for (let round = 0; round < 4_000; round++) {
      const bytes = round % 2 ? Buffer.from(packet) : Buffer.from(Array.from({ length: next(300) }, () => next(256)))
      // Behind the keys, where the lengths are.
      for (let change = 0; change < 3; change++) if (bytes.length > 0) bytes[next(bytes.length)] = next(256)
      const cut = next(3) ? bytes : bytes.subarray(0, next(bytes.length + 1))
      expect(() => readPacket(cut), `FUZZ_SEED=${seed}, round ${round}`).not.toThrow()
    }
  })
})

describe('A card', () => {
  test('stands for an office that has proven that it is there, and goes when it does not any more', async () => {
    const there = await openOffice(asked => ({ ...office, people: asked }))
    const { beacon, say } = ear()
    const { discovery, clock } = discover({ beacon, token })
    const proven = (times: number) => within(() => expect(discovery.offices[0]?.people).toBe(times))
    let counter = 0
    const again = () => say(beaconPacket(front(there.port), signerOf(authority), ++counter, Date.now()))
    again()
    await proven(1)
    expect(discovery.offices[0]).toMatchObject({
      officeId: officeIdOf(authority.certificate),
      office: 'ACME',
      own: false,
      pcs: ['FRONT-DESK'],
      address: `127.0.0.1:${there.port}`,
      sharesToken: true,
    })
    // As long as it is heard, it is asked once a minute.
    expect(there.asked()).toBe(1)
    for (let seconds = 2; seconds <= 58; seconds += 2) {
      clock.ms += 2_000
      again()
      discovery.tick()
    }
    expect(there.asked()).toBe(1)
    clock.ms += 2_001
    again()
    await proven(2)
    // Silent: it is asked, and is there still.
    clock.ms += 10_000
    discovery.tick()
    await proven(3)
    await there.close()
    clock.ms += 9_000
    discovery.tick()
    expect(discovery.offices).toHaveLength(1)
    clock.ms += 1_001
    discovery.tick()
    await within(() => expect(discovery.offices).toHaveLength(0))
  })

  test('does not come of announcements that are made up, sent again, or not behind their address', async () => {
    const there = await openOffice()
    const { beacon, say } = ear()
    let pending = 0
    const { discovery, clock } = discover({
      beacon,
      ask: async (...what) => {
        pending += 1
        return askAbout(...what).finally(() => setImmediate(() => (pending -= 1)))
      },
    })
    const settle = async () => {
      for (let round = 0; round < 5; round++) {
        clock.ms += 1_000
        discovery.tick()
        await within(() => expect(pending).toBe(0))
      }
      return discovery.offices
    }
    // Another authority at the real office's address: what answers there is signed by the real one.
    say(beaconPacket(front(there.port), signerOf(stranger), 1, Date.now()))
    expect(await settle()).toEqual([])
    // The real key with a signature of somebody else.
    const real = signerOf(authority)
    say(beaconPacket(front(there.port), { key: signerOf(stranger).key, spki: real.spki }, 1, Date.now()))
    expect(await settle()).toEqual([])
    // Another node's name.
    say(beaconPacket(front(there.port, { nodeId: 'other' }), real, 1, Date.now()))
    expect(await settle()).toEqual([])
    // A recorded one, sent again where the office is not.
    const recorded = beaconPacket(front(1), real, 1, Date.now())
    say(recorded)
    expect(await settle()).toEqual([])

    // While the real one is there, older ones of it move nothing.
    say(beaconPacket(front(there.port, { epoch: 4 }), real, 10, Date.now()))
    expect(await settle()).toHaveLength(1)
    say(recorded)
    say(beaconPacket(front(2, { epoch: 4 }), real, 9, Date.now()))
    await there.close()
    clock.ms += 11_000
    say(beaconPacket(front(3, { epoch: 4 }), real, 10, Date.now()))
    expect(await settle()).toEqual([])
  })

  test('is made of listed addresses, too; candidates know each other by their token', async () => {
    const other = await issue(stranger, { name: 'three', dnsNames: [], addresses: [] })
    let fresh: AboutHere = { kind: 'candidate', node: 'PC-3', nodeId: 'three', version: '0.4.0' }
    const there = await openOffice()
    const candidate = await openOffice(() => fresh, { authority: stranger, identity: other })
    const told: unknown[] = []
    const officeId = officeIdOf(authority.certificate)
    const { discovery, clock } = discover({
      peers: [`127.0.0.1:${there.port}`, `127.0.0.1:${candidate.port}`, '127.0.0.1:1', 'no address!'],
      self: () => ({ nodeId: 'me', version: '0.9.0', officeId }),
      token,
      onOwnNode: node => told.push(node),
    })
    await within(() => expect([discovery.offices.length, discovery.candidates.length]).toEqual([1, 1]))
    expect(discovery.offices[0]).toMatchObject({
      own: true,
      trouble: expect.stringContaining('FRONT-DESK runs Lanthorn 0.4.0'),
    })
    expect(told).toEqual([{ nodeId: 'front', name: 'FRONT-DESK', address: `127.0.0.1:${there.port}` }])
    expect(discovery.candidates[0]).toMatchObject({ kind: 'candidate', nodeId: 'three', sharesToken: true })
    fresh = { ...fresh, kind: 'making' }
    clock.ms += 10_001
    discovery.tick()
    await within(() => expect(discovery.candidates[0]?.kind).toBe('making'))
  })

  test('comes up under a flood of announcements, which makes bounded work', async () => {
    const there = await openOffice()
    const { beacon, say } = ear()
    const dialled: string[] = []
    const { discovery, clock } = discover({
      beacon,
      ask: async address => {
        dialled.push(address)
        if (address !== `127.0.0.1:${there.port}`) throw new JoinFault('unreachable', 'Nobody.')
        return askAbout(address, { version: '0.4.0' })
      },
    })
    const [false_, real] = [signerOf(stranger), signerOf(authority)]
    const garbage = Array.from({ length: 200 }, (_, index) =>
      beaconPacket(front(7, { nodeId: `f${index}` }), false_, 1, 1),
    )
    const before = process.cpuUsage()
    // Ten seconds of a thousand packets each, from ever new addresses; the real office says a word every two seconds.
    for (let second = 0; second < 10; second++) {
      for (let count = 0; count < 1_000; count++) {
        say(garbage[count % garbage.length] ?? Buffer.alloc(0), `10.${second}.${count >> 8}.${count & 255}`)
      }
      clock.ms += 1_000
      discovery.tick()
      if (second % 2) say(beaconPacket(front(there.port), real, second, Date.now()))
      await new Promise(resolve => setImmediate(resolve))
    }
    const { user, system } = process.cpuUsage(before)
    expect(dialled.length).toBeLessThan(80)
    // Of ten seconds, with room for a slow machine.
    expect((user + system) / 1_000).toBeLessThan(1_500)
    for (let second = 0; second < 60 && discovery.offices.length === 0; second++) {
      clock.ms += 1_000
      say(beaconPacket(front(there.port), real, 100 + second, Date.now()))
      discovery.tick()
      await new Promise(resolve => setTimeout(resolve, 10))
    }
    expect(discovery.offices).toHaveLength(1)
  })
})

describe('The beacon', () => {
  test('is heard on the network, answers whoever asks, and survives interfaces that come and go', async context => {
    if (!(await isMulticastThere())) return context.skip('this system carries no multicast on loopback')
    const there = await openOffice()
    const port = await freePort()
    let places: Place[] = []
    // Announces so rarely that only changes and questions make it speak.
    const speaker = beaconAt({ port, places: () => places, timings: { everyMs: 60_000, lookMs: 50, answerMs: 10 } })
    speaker.announce({ authority, announcement: () => front(there.port) })
    expect(speaker.trouble).toContain('no network')
    places = [{ ...loopback, interface: 'gone', address: '203.0.113.7', multicast: '203.0.113.7' }, loopback]
    const { discovery } = discover({ beacon: beaconAt({ port }), now: Date.now })
    await within(() => expect(discovery.offices).toHaveLength(1))
    expect(speaker.places).toEqual(['lo 127.0.0.1'])
    const heard = vi.fn()
    const other = beaconAt({ port })
    other.onBeacon(heard)
    await within(() => {
      other.ask()
      expect(heard).toHaveBeenCalled()
    })
    places = []
    await within(() => expect(speaker.places).toEqual([]))
    places = [loopback]
    heard.mockClear()
    await within(() => expect(heard).toHaveBeenCalled())
  })

  test('bears a thousand packets of garbage a second', async context => {
    if (!(await isMulticastThere())) return context.skip('this system carries no multicast on loopback')
    const port = await freePort()
    const listener = beaconAt({ port })
    const heard = vi.fn()
    listener.onBeacon(heard)
    const { discovery } = discover({ beacon: listener })
    const socket = dgram.createSocket('udp4')
    ends.push(() => socket.close())
    const forged = beaconPacket(front(7), { ...signerOf(stranger), spki: signerOf(authority).spki }, 1, 1)
    const before = process.cpuUsage()
    for (let round = 0; round < 50; round++) {
      for (let count = 0; count < 20; count++) socket.send(count % 2 ? randomBytes(400) : forged, port, '127.0.0.1')
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    const { user, system } = process.cpuUsage(before)
    expect(heard).toHaveBeenCalled()
    expect(discovery.offices).toEqual([])
    // Of a second, sending included.
    expect((user + system) / 1_000).toBeLessThan(600)
  })

  test('uses every interface but loopback, or those that are named', () => {
    const list = {
      lo: [
        { address: '127.0.0.1', family: 'IPv4', internal: true },
        { address: '::1', family: 'IPv6', internal: true },
      ],
      eth0: [
        { address: '192.168.1.20', family: 'IPv4', internal: false },
        { address: '192.168.1.21', family: 'IPv4', internal: false },
        { address: 'fe80::1', family: 'IPv6', internal: false, scopeid: 2 },
      ],
    } as never
    const addresses = (wanted?: string[]) => placesNow(wanted, list).map(place => place.address)
    expect(addresses()).toEqual(['192.168.1.20', 'fe80::1'])
    expect(addresses(['lo'])).toEqual(['127.0.0.1', '::1'])
    expect(addresses(['192.168.1.21', '127.0.0.2'])).toEqual(['192.168.1.21', '127.0.0.2'])
    expect(beaconDefaults.port).toBe(54_327)
  })
})

afterAll(() => log.flush())
