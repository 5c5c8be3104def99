// Three real Hazelcast members, each kept by a node of one office, all on the loopback interface of this computer.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'hazelcast-client'
import pino from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Hazelcast, startHazelcast } from '../../server/cluster/hazelcast/hazelcast.ts'
import { hazelcastHere } from '../../server/cluster/hazelcast/java.ts'
import { hazelcastDefaults } from '../../server/cluster/hazelcast/settings.ts'
import type { OpenMesh } from '../../server/cluster/mesh/mesh.ts'
import type { KnownNode } from '../../server/cluster/node.ts'
import type { SharedMap } from '../../server/cluster/shared-map.ts'
import { isThorough } from '../faults/random.ts'
import { authority, known, open, type Papers, papers, reached } from '../support/mesh.ts'

const here = await hazelcastHere()
if (here === undefined)
  console.log('The tests of Hazelcast are left out, because Java or Hazelcast is missing: see what set-up said.')

const secret = 'a secret that nobody guesses'

interface Node {
  mesh: OpenMesh
  hazelcast: Hazelcast
  seen: Map<string, string>
  /** Everything its log said. */
  log: string[]
}

describe.skipIf(here === undefined)('members of three PCs', { timeout: 60_000 }, () => {
  const nodes: Node[] = []
  let folder = ''
  let office: Awaited<ReturnType<typeof authority>>
  let papersOf: Papers[] = []
  let records: KnownNode[] = []
  let portBase = 0
  const at = (number: number): Node => nodes[number - 1] as Node

  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'lanthorn-hazelcast-'))
    portBase = await freeBase()
    office = await authority()
    papersOf = await Promise.all([1, 2, 3, 4].map(number => papers(office, number)))
    const meshes = await Promise.all(papersOf.slice(0, 3).map(one => open(one, office)))
    records = meshes.map((mesh, index) => known(papersOf[index] as Papers, mesh.port))
    for (const mesh of meshes) mesh.setNodes(records)
    await Promise.all(meshes.flatMap(mesh => mesh.peers.map(peer => reached(mesh, peer.node.name, 'up'))))
    for (const [index, mesh] of meshes.entries()) {
      const log: string[] = []
      const hazelcast = await startHazelcast({
        dataDir: path.join(folder, String(index + 1)),
        self: mesh.self,
        mesh,
        portBase,
        clusterSecret: secret,
        settings: hazelcastDefaults,
        log: pino({ level: 'debug' }, { write: line => void log.push(line) }),
        nodes: () => records,
      })
      const seen = new Map<string, string>()
      mirror(hazelcast.map, seen)
      nodes.push({ mesh, hazelcast, seen, log })
    }
    await until('three members', () => nodes.every(({ hazelcast }) => hazelcast.members.join() === '1,2,3'), 40_000)
    const starts = nodes.map(({ hazelcast }) => hazelcast.figures()?.startMs)
    const memory = nodes.map(({ hazelcast }) => Math.round((hazelcast.figures()?.rssBytes ?? 0) / 1e6))
    console.log(`three members started at once in ${starts.join(', ')} ms; ${memory.join(', ')} MB each`)
  })

  afterAll(async () => {
    await Promise.all(nodes.map(({ hazelcast }) => hazelcast.close()))
    await Promise.all(nodes.map(({ mesh }) => mesh.close()))
    await rm(folder, { recursive: true, force: true })
  })

  test('what one writes or removes the others see, in milliseconds', async () => {
    expect(nodes.map(({ hazelcast }) => hazelcast.state)).toEqual(['member', 'member', 'member'])
    const took: number[] = []
    for (let n = 0; n < 20; n++) {
      const from = performance.now()
      at(1).hazelcast.map.put('pc-1|1|romeo@test.example/orchard', `value ${n}`)
      await until('the value', () => at(2).seen.get('pc-1|1|romeo@test.example/orchard') === `value ${n}`)
      took.push(performance.now() - from)
    }
    console.log(`put → seen on another node: p50 ${took.sort((a, b) => a - b)[10]?.toFixed(1)} ms`)
    for (let n = 0; n < 1_000; n++) at(3).hazelcast.map.put(`pc-3|1|${n}@test.example/a`, 'there')
    for (let n = 0; n < 900; n++) at(3).hazelcast.map.remove(`pc-3|1|${n}@test.example/a`)
    await until('the last value everywhere', () =>
      nodes.every(({ seen }) => seen.get('pc-3|1|999@test.example/a') === 'there'),
    )
    await until('the removal', () => nodes.every(({ seen }) => seen.size === 101))
    at(1).hazelcast.map.remove('pc-1|1|romeo@test.example/orchard')
    await until('the removal', () => nodes.every(({ seen }) => seen.size === 100))
  })

  test('who comes later is told all that is there', async () => {
    const late = new Map<string, string>()
    const end = mirror(at(2).hazelcast.map, late)
    await until('all', () => late.size === 100)
    end()
  })

  test('they listen on 127.0.0.1 only, and whoever does not know the secret gets no answer', async () => {
    const outside = Object.values(os.networkInterfaces()).flatMap(list => list ?? [])
    const addresses = [
      '127.0.0.2',
      ...outside.filter(one => !one.internal && one.family === 'IPv4').map(one => one.address),
    ]
    expect(await connects('127.0.0.1', portBase + 1)).toBe(true)
    for (const address of addresses) expect([address, await connects(address, portBase + 1)]).toEqual([address, false])
    for (const clusterName of ['dev', 'test.example']) {
      const stranger = Client.newHazelcastClient({
        clusterName,
        network: { clusterMembers: [`127.0.0.1:${portBase + 1}`], smartRouting: false },
        connectionStrategy: { connectionRetry: { clusterConnectTimeoutMillis: 300 } },
        properties: { 'hazelcast.logging.level': 'OFF' },
      })
      await expect(stranger).rejects.toThrow('Unable to connect')
    }
    for (const { log } of nodes) expect(log.join('')).not.toContain(secret)
  })

  test('a member that is killed is started again; what was written meanwhile arrives, and the others keep what they had', async () => {
    const absent: number[] = []
    const listening = at(1).hazelcast.onMembers(members => {
      if (!members.includes(2)) absent.push(2)
    })
    const before = at(2).hazelcast.figures()?.pid ?? 0
    const from = performance.now()
    process.kill(before, 'SIGKILL')
    await until('its absence', () => absent.length > 0)
    const noticedMs = performance.now() - from
    at(2).hazelcast.map.put('pc-2|1|juliet@test.example/balcony', 'written while it was down')
    at(1).hazelcast.map.remove('pc-3|1|999@test.example/a')
    await until('it is back', () => nodes.every(({ hazelcast }) => hazelcast.members.length === 3), 40_000)
    console.log(
      `killed: noticed after ${Math.round(noticedMs)} ms, back after ${Math.round(performance.now() - from)} ms`,
    )
    listening()
    await until('one view', () =>
      nodes.every(({ seen }) => seen.has('pc-2|1|juliet@test.example/balcony') && seen.size === 100),
    )
    expect(at(2).hazelcast.figures()).toMatchObject({ restarts: 1 })
    expect(at(2).hazelcast.figures()?.pid).not.toBe(before)
  })

  test('an own configuration is laid over ours and starts the member anew; a faulty one is told in a sentence', async () => {
    const { hazelcast, log } = at(3)
    const own = path.join(folder, '3', 'hazelcast')
    hazelcast.update({ ...hazelcastDefaults, configFile: 'missing.yaml' })
    await until('the refusal', () => hazelcast.state === 'off')
    expect(hazelcast.sentence).toContain(`${path.join(own, 'missing.yaml')} cannot be read (ENOENT)`)
    await writeFile(
      path.join(own, 'own.xml'),
      '<hazelcast xmlns="http://www.hazelcast.com/schema/config"><map name="routes"><backup-count>2</backup-count></map><map name="more"/></hazelcast>',
    )
    log.length = 0
    hazelcast.update({ ...hazelcastDefaults, configFile: 'own.xml', memberHeapMegabytes: 80 })
    await until('it is back', () => nodes.every(one => one.hazelcast.members.length === 3), 40_000)
    await until('all is told again', () => at(3).seen.size === 100)
    expect(hazelcast.state).toBe('member')
  })

  test.runIf(isThorough)('a member that others joined after its start, apart from it, comes to them', async () => {
    const paper = papersOf[3] as Papers
    const mesh = await open(paper, office)
    const all = [...records, known(paper, mesh.port)]
    let listed: KnownNode[] = []
    mesh.setNodes(all)
    for (const one of nodes) one.mesh.setNodes(all)
    const self = { ...mesh.self, number: 4 }
    const late = await startHazelcast({
      ...{ dataDir: path.join(folder, '4'), self, mesh, portBase, clusterSecret: secret, lookMs: 200 },
      ...{ settings: hazelcastDefaults, log: pino({ level: 'silent' }), nodes: () => listed },
    })
    await until('it is alone, as it lists nobody', () => late.members.join() === '4', 30_000)
    listed = all
    await until('four members', () => [late, at(1).hazelcast].every(one => one.members.join() === '1,2,3,4'), 40_000)
    expect(late.figures()?.restarts).toBe(1)
    await late.close()
    await mesh.close()
    for (const one of nodes) one.mesh.setNodes(records)
  })

  test('a PC whose Hazelcast is another one is left out, and that is said', async () => {
    const { hazelcast, mesh } = at(1)
    const old = await open(papersOf[3] as Papers, office, {
      self: { number: 4, id: 'id-4', name: 'pc-4', epoch: 1, version: '1.0.0', hazelcast: '5.6' },
    })
    mesh.setNodes([...records, known(papersOf[3] as Papers, old.port)])
    old.setNodes(records)
    await reached(mesh, 'pc-4', 'up')
    await until('the word', () => hazelcast.state === 'apart')
    expect(hazelcast.sentence).toContain('runs Hazelcast 5.7, others another one: pc-4 (5.6)')
    await old.close()
    await until('its absence', () => hazelcast.state === 'member')
  })
})

function mirror(map: SharedMap, into: Map<string, string>): () => void {
  return map.follow({
    all(entries) {
      into.clear()
      for (const [key, value] of entries) into.set(key, value)
    },
    put: (key, value) => void into.set(key, value),
    remove: key => void into.delete(key),
  })
}

async function until(what: string, condition: () => boolean, limitMs = 15_000): Promise<void> {
  const end = performance.now() + limitMs
  while (!condition()) {
    if (performance.now() > end) throw new Error(`Not reached within ${limitMs} ms: ${what}`)
    await delay(2)
  }
}

function connects(host: string, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = net.connect({ host, port })
    socket.once('connect', () => resolve(true) ?? socket.destroy())
    socket.once('error', () => resolve(false))
  })
}

/** A number after which four ports are free. */
async function freeBase(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const base = 20_000 + Math.floor(Math.random() * 10_000)
    const taken = await Promise.all([1, 2, 3, 4, 5].map(number => connects('127.0.0.1', base + number)))
    if (!taken.includes(true)) return base
  }
  throw new Error('No free ports were found.')
}
