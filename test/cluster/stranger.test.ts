/** A stranger on the office network gets nothing: it sees the ports that people need, and everything else is shut (promise 3 of the design). */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { canBreakProcesses, childrenOf, cpuOf } from '../faults/processes.ts'
import { canMakeNetworks } from '../support/lab/lab.ts'
import { doorPort, LabOffice } from '../support/lab/office.ts'
import { Talk } from './talk.ts'

const program = fileURLToPath(new URL('./stranger.ts', import.meta.url))
const isLeftOut = !canMakeNetworks || !canBreakProcesses

let office: LabOffice

beforeAll(async () => {
  if (!isLeftOut) office = await LabOffice.open({ pcs: 2, others: 1, database: 'embedded' })
}, 120_000)

afterAll(async () => {
  await office?.[Symbol.asyncDispose]()
}, 60_000)

/** Runs the stranger on its own PC. */
async function stranger<T>(...args: string[]): Promise<T> {
  const [, , host] = office.lab.hosts
  const [first = 'ip', ...through] = host?.through ?? []
  const { stdout } = await promisify(execFile)(first, [...through, process.execPath, program, ...args], {
    maxBuffer: 1_000_000,
  })
  return JSON.parse(stdout) as T
}

test.skipIf(isLeftOut)(
  'only the ports of `listen` are open: neither Hazelcast nor the database can be reached',
  async () => {
    for (const { appliance, host } of office.nodes) {
      const { domain: _domain, node: _node, pid, adminUrl: _url, ...listening } = appliance.ready
      expect(await childrenOf(pid, 'java'), 'its member runs').toHaveLength(1)
      const open = await stranger<number[]>('scan', host.address, '1', '65535')
      expect(open).toEqual([...Object.values(listening), doorPort].sort((a, b) => a - b))
    }
  },
  120_000,
)

test.skipIf(isLeftOut)(
  'without the certificate of a PC of the office nothing is said on the cluster port',
  async () => {
    const { appliance, host } = office.node(1)
    const answers = await stranger<Record<string, string>>('knock', host.address, String(appliance.ready.cluster))
    expect(Object.keys(answers)).toHaveLength(6)
    expect(new Set(Object.values(answers))).toEqual(new Set(['refused']))
  },
  120_000,
)

test.skipIf(isLeftOut)(
  'a flood of connections to the cluster port stops nobody: people chat across, and a PC that was away is back',
  async () => {
    const [one, two] = [office.node(1), office.node(2)]
    await using talk = await Talk.start({ romeo: [one], juliet: [two], mercutio: [one], anna: [one] })
    const from = performance.now()
    const cpuFrom = await cpuOf(one.appliance.pid)
    const flood = stranger<{ opened: number; refused: number }>(
      'flood',
      one.host.address,
      String(one.appliance.ready.cluster),
      '8',
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
    await talk.stop()
    await talk.expectKept(one)
    process.stdout.write(
      `stranger: ${counts.opened + counts.refused} connections in 8 s; the server used ${Math.round((cpu / (to - from)) * 100)} % of a processor; two people on it waited ${Math.round(talk.longestGap('anna', from, to))} ms at most\n`,
    )
    expect(talk.longestGap('anna', from, to)).toBeLessThan(1_000)
  },
  120_000,
)
