// Hazelcast members of two PCs on a network: they meet through the mesh only, are split by pulling a cable, and end with their server.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hazelcastHere } from '../../server/cluster/hazelcast/java.ts'
import { canMakeNetworks, Lab, type LabHost } from '../support/lab/lab.ts'
import { authority, papers } from '../support/mesh.ts'
import type { PcPapers, PcView } from './pc.ts'

const canRun = canMakeNetworks && (await hazelcastHere()) !== undefined
if (!canRun)
  console.log('The tests of Hazelcast over a network are left out: they need root on Linux, Java and Hazelcast.')
const program = path.join(import.meta.dirname, 'pc.ts')

/** Two halves look for each other every 3 s instead of 15. */
const hurry =
  'hazelcast:\n  properties:\n    hazelcast.merge.first.run.delay.seconds: 3\n    hazelcast.merge.next.run.delay.seconds: 3\n'

class Pc {
  view: PcView = { peers: [], members: [], seen: {}, memberPid: undefined }
  readonly host: LabHost
  readonly process: ChildProcess
  readonly #waiting = new Set<() => void>()

  constructor(host: LabHost, file: string) {
    this.host = host
    const [first = 'ip', ...rest] = host.through
    this.process = spawn(first, [...rest, process.execPath, program, file], { stdio: ['pipe', 'pipe', 'inherit'] })
    createInterface({ input: this.process.stdout as NodeJS.ReadableStream }).on('line', line => {
      this.view = JSON.parse(line) as PcView
      for (const look of [...this.#waiting]) look()
    })
  }

  say(line: string): void {
    this.process.stdin?.write(`${line}\n`)
  }

  until(what: string, condition: (view: PcView) => boolean, limitMs = 45_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`${this.host.name}, not in ${limitMs} ms: ${what}; ${JSON.stringify(this.view)}`)),
        limitMs,
      )
      const look = (): void => {
        if (!condition(this.view)) return
        clearTimeout(late)
        this.#waiting.delete(look)
        resolve()
      }
      this.#waiting.add(look)
      look()
    })
  }
}

describe.skipIf(!canRun)('members of two PCs on a network', { timeout: 60_000 }, () => {
  let lab: Lab
  const pcs: Pc[] = []
  const at = (number: number): Pc => pcs[number - 1] as Pc

  beforeAll(async () => {
    lab = Lab.open(2)
    const office = await authority()
    const all = await Promise.all([1, 2].map(number => papers(office, number)))
    const nodes = all.map(({ node }, index) => ({ ...node, addresses: [`${lab.hosts[index]?.address}:5275`] }))
    for (const [index, host] of lab.hosts.entries()) {
      const dataDir = path.join(lab.folder, host.name)
      mkdirSync(path.join(dataDir, 'hazelcast'), { recursive: true })
      writeFileSync(path.join(dataDir, 'hazelcast', 'own.yaml'), hurry)
      const identity = all[index]?.identity as PcPapers['identity']
      const mine: PcPapers = {
        number: index + 1,
        identity,
        authority: office.certificate,
        address: host.address,
        nodes,
        dataDir,
        configFile: 'own.yaml',
      }
      const file = path.join(dataDir, 'papers.json')
      writeFileSync(file, JSON.stringify(mine))
      pcs.push(new Pc(host, file))
    }
    await Promise.all(pcs.map(pc => pc.until('two members', view => view.members.join() === '1,2')))
  })

  afterAll(async () => {
    for (const { process: child } of pcs) child.stdin?.end()
    await Promise.all(
      pcs.map(
        ({ process: child }) => child.exitCode ?? child.signalCode ?? new Promise(end => child.once('exit', end)),
      ),
    )
    await lab[Symbol.asyncDispose]()
  })

  test('they see what the other writes, and nobody on the network sees a port of theirs', async () => {
    at(1).say('put romeo here')
    at(2).say('put juliet there')
    await Promise.all(pcs.map(pc => pc.until('both', ({ seen }) => seen.romeo === 'here' && seen.juliet === 'there')))
    const listening = lab.on(at(1).host, 'cat', '/proc/net/tcp', '/proc/net/tcp6').split('\n')
    const open = listening
      .map(line => line.trim().split(/\s+/))
      .filter(fields => fields[3] === '0A')
      .map(fields => fields[1])
    // The cluster port on the LAN; on 127.0.0.1 the own member (5711) and the other one's slot (5712).
    expect(open.map(one => one?.split(':')[1]).sort()).toEqual(['149B', '164F', '1650'].sort())
    expect(open.filter(one => /0100007F:/.test(one ?? '')).length).toBe(2)
  })

  test('cut from each other both go on; joined again they are one cluster, with what each wrote and without what was removed', async () => {
    lab.cut(at(2).host)
    await Promise.all(
      pcs.map((pc, index) => pc.until('it is alone', view => view.members.join() === String(index + 1))),
    )
    at(1).say('put romeo moved')
    at(2).say('put nurse new')
    await Promise.all([
      at(1).until('its own word', ({ seen }) => seen.romeo === 'moved'),
      at(2).until('its own word', ({ seen }) => seen.nurse === 'new'),
    ])
    const from = performance.now()
    lab.heal(at(2).host)
    await Promise.all(pcs.map(pc => pc.until('one cluster', view => view.members.length === 2)))
    console.log(`one cluster ${((performance.now() - from) / 1_000).toFixed(1)} s after the cable was back`)
    const whole = { romeo: 'moved', juliet: 'there', nurse: 'new' }
    await Promise.all(
      pcs.map(pc =>
        pc.until('one truth', ({ seen }) => Object.entries(whole).every(([key, value]) => seen[key] === value)),
      ),
    )
  })

  test('a server that is killed takes its member along', async () => {
    const { memberPid } = at(2).view
    expect(isAlive(memberPid)).toBe(true)
    at(2).process.kill('SIGKILL')
    // `ip netns exec` becomes the program itself: the kill has met the server.
    await at(1).until('it is alone', view => view.members.join() === '1')
    await expect.poll(() => isAlive(memberPid), { timeout: 5_000 }).toBe(false)
    expect(spawnSync('pgrep', ['-f', path.join(lab.folder, 'pc-2')]).stdout.toString()).toBe('')
  })
})

function isAlive(pid: number | undefined): boolean {
  if (pid === undefined) return false
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
