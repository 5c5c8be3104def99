/** A stranger on the office network gets nothing: it sees the ports that people need, and everything else is shut (promise 3 of the design). */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeJoinCode, removeNode } from '../../server/admin/contract/nodes.ts'
import { canBreakProcesses, childrenOf, cpuOf } from '../faults/processes.ts'
import { isThorough } from '../faults/random.ts'
import { canMakeNetworks, type LabHost } from '../support/lab/lab.ts'
import { doorPort, LabOffice, token } from '../support/lab/office.ts'
import { Talk } from './talk.ts'

const program = fileURLToPath(new URL('./stranger.ts', import.meta.url))
const isLeftOut = !canMakeNetworks || !canBreakProcesses
const hasIpv6 = existsSync('/proc/net/if_inet6')
/** Two people on a PC that is well write every 20 ms; so long may nothing of it arrive, and so much longer on a computer that tests many things at once. */
const stallMsMax = 300
const slackMs = isThorough ? 0 : 450
const floodSeconds = 8
const floodAddresses = 200

let office: LabOffice

beforeAll(async () => {
  if (isLeftOut) return
  office = await LabOffice.open({
    pcs: 2,
    others: 1,
    database: 'embedded',
    ...(hasIpv6 && { config: { listen: { host: '::' } } }),
  })
}, 120_000)

afterAll(async () => {
  await office?.[Symbol.asyncDispose]()
}, 60_000)

const strangersPc = (): LabHost => office.lab.hosts[2]!

/** Runs the stranger on its own PC. */
async function stranger<T>(...args: string[]): Promise<T> {
  const [first = 'ip', ...through] = strangersPc().through
  const { stdout } = await promisify(execFile)(first, [...through, process.execPath, program, ...args], {
    maxBuffer: 1_000_000,
  })
  return JSON.parse(stdout) as T
}

test.skipIf(isLeftOut)(
  'only the ports of `listen` are open: neither Hazelcast nor the database can be reached',
  async () => {
    for (const [index, { appliance, host }] of office.nodes.entries()) {
      const { domain: _domain, node: _node, pid, adminUrl: _url, ...listening } = appliance.ready
      expect(await childrenOf(pid, 'java'), 'its member runs').toHaveLength(1)
      const open = await stranger<number[]>('scan', host.address, '1', '65535')
      expect(open).toEqual([...Object.values(listening), doorPort].sort((a, b) => a - b))
      if (!hasIpv6 || index > 0) continue
      office.lab.more(host, ['fd00:5275::1'], 64)
      office.lab.more(strangersPc(), ['fd00:5275::3'], 64)
      expect(await stranger<number[]>('scan', 'fd00:5275::1', '1', '65535'), 'over IPv6').toEqual(open)
    }
  },
  120_000,
)

test.skipIf(isLeftOut)(
  'without the certificate of a PC of the office nothing is said on the cluster port, and a guessed secret is of no use',
  async () => {
    const { appliance, host } = office.node(1)
    const port = String(appliance.ready.cluster)
    const heard = await stranger<Record<string, string>>('knock', host.address, port)
    expect(Object.keys(heard)).toHaveLength(6)
    expect(new Set(Object.values(heard))).toEqual(new Set(['']))
    expect(await stranger('guess', host.address, port, await version())).toEqual({
      'a token': expect.stringMatching(/^wrong-token/),
      'a token, whatever the office proves': expect.stringMatching(/^wrong-token/),
      'a join code': expect.stringMatching(/^wrong-code/),
    })
  },
  120_000,
)

test.skipIf(isLeftOut)(
  'a flood of connections from many addresses stops nobody: people chat across, and a PC that was away is back',
  async () => {
    const [one, two] = [office.node(1), office.node(2)]
    await using talk = await Talk.start({ romeo: [one], juliet: [two], mercutio: [one], anna: [one] })
    const from = performance.now()
    const own = monitorEventLoopDelay({ resolution: 10 })
    own.enable()
    const cpuFrom = await cpuOf(one.appliance.pid)
    const net = one.host.address.replace(/\d+$/, '')
    const addresses = Array.from({ length: floodAddresses }, (_, index) => `${net}${index + 20}`)
    office.lab.more(strangersPc(), addresses, 24)
    const { address } = one.host
    const flood = stranger<{ opened: number; refused: number }>(
      ...['flood', address, String(one.appliance.ready.cluster), String(floodSeconds), addresses.join()],
    )
    await talk.goesOn('romeo', 100)
    // It must find its way back in while the flood goes on.
    office.lab.cut(two.host)
    await new Promise(resolve => setTimeout(resolve, 3_000))
    office.lab.heal(two.host)
    await talk.goesOn('juliet', 50)
    const counts = await flood
    const cpu = (await cpuOf(one.appliance.pid)) - cpuFrom
    const to = performance.now()
    own.disable()
    await talk.stop()
    await talk.expectKept(one)
    const stall = talk.longestGap('anna', from, to)
    const ownMs = own.max / 1e6
    process.stdout.write(
      `stranger: ${counts.opened + counts.refused} connections from ${addresses.length} addresses in ${floodSeconds} s; the server used ${Math.round((cpu / (to - from)) * 100)} % of a processor; two people on it waited ${Math.round(stall.ms)} ms at most, from ${Math.round(stall.at - from)} ms on (this test itself stood still for ${Math.round(ownMs)} ms at most)\n`,
    )
    expect(stall.ms).toBeLessThan(stallMsMax + slackMs)
  },
  120_000,
)

test.skipIf(isLeftOut)(
  'a PC that was removed comes back by nothing that it has kept: certificate, authority, key or token',
  async () => {
    const { appliance, host } = office.node(1)
    const papers = path.join(office.lab.folder, 'papers.json')
    const { code } = await office.ask(office.node(1), makeJoinCode)
    const name = await stranger<string>('join', code, await version(), papers)
    await office.ask(office.node(2), removeNode, { params: { name }, body: { typed: name } })
    const other = await office.ask(office.node(1), makeJoinCode)
    const port = String(appliance.ready.cluster)
    const heard = await stranger<Record<string, string>>('come-back', host.address, port, papers, token, other.code)
    // Whoever was of the office is told why, and nothing else.
    const shut = expect.stringMatching(/^.{0,16}it is not one of the PCs of this office.{0,4}$/s)
    expect(heard).toEqual({
      'lanthorn-link with its certificate': shut,
      'lanthorn-link with one that it has made': shut,
      'lanthorn-hz with its certificate': shut,
      'lanthorn-hz with one that it has made': shut,
      'its key, with a join code': expect.stringContaining('refuses its key for good'),
      'a new key, with the token': expect.stringContaining('that ended its token'),
    })
  },
  120_000,
)

/** Of the appliances. */
async function version(): Promise<string> {
  const { nodes } = await office.view(office.node(1))
  return nodes.find(({ here }) => here)?.version ?? ''
}
