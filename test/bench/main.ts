/**
 * `npm run bench -- [archive|message|login|memory|start|cluster …] [--rounds 5] [--seconds 5]`: what the server costs, on this computer, now.
 * Each row is the median over the rounds; all rows are measured in each round, so that a noisy minute hurts them alike.
 */
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { type Appliance, startAppliance } from '../support/appliance.ts'
import { isWhole, startWith, tokenConfigs, untilMembers } from '../support/small-office.ts'
import { calibrate, median } from './accounting.ts'
import { measureArchive } from './archive.ts'
import { measureCluster, measureDistance, needsOf, startMemberAnew } from './cluster.ts'
import type { Account, Target } from './connection.ts'
import { crowd } from './crowd.ts'
import { measureLogins } from './logins.ts'
import { measureMemory } from './memory.ts'
import { measureMessages } from './messages.ts'
import type { Mechanism } from './scram.ts'
import { measureStart } from './starting.ts'

const names = ['archive', 'message', 'login', 'memory', 'start', 'cluster'] as const
type Name = (typeof names)[number]

/** The most that it should be, or the least. */
type Goal = number | { readonly atLeast: number }

/** Unit, server, PostgreSQL, and what the sum should be. */
interface Row {
  what: string
  unit: string
  goal?: Goal
  values: { server: number; postgres?: number; perSecond?: number }[]
}

const rows = new Map<string, Row>()
const options = readOptions()

for (let round = 1; round <= options.rounds; round++) {
  process.stderr.write(`round ${round} of ${options.rounds}\n`)
  note('calibration loop', 'ms', { server: calibrate() })
  note('load of this computer, one minute', '', { server: loadavg()[0] ?? Number.NaN })
  if (options.names.includes('start')) await start()
  if (options.names.some(name => name !== 'start' && name !== 'cluster')) await serve()
  if (options.names.includes('cluster')) await cluster()
}
print()

async function start(): Promise<void> {
  const { first, second } = await measureStart()
  note('first start, clock', 's', { server: first.wall })
  note('first start, CPU of all processes', 's', { server: first.cpu })
  note('second start, clock', 's', { server: second.wall }, 3)
  note('second start, CPU of all processes', 's', { server: second.cpu }, 4)
}

/** DESIGN section 10: two PCs on one computer, with their Hazelcast members. */
async function cluster(): Promise<void> {
  const people = crowd(3) as [Account, Account, Account]
  const configs = await tokenConfigs(['pc-1', 'pc-2'])
  const env = { LANTHORN_TEST_PLAINTEXT: '1', LANTHORN_TEST_NO_HAZELCAST: '' }
  const started = await Promise.all(configs.map(config => startWith({ ...config, people }, env)))
  try {
    await isWhole(started)
    await untilMembers(started)
    const [here, there] = started as [Appliance, Appliance]
    // The members of both have just started on one computer; in an office each has one of its own.
    await startMemberAnew(there)
    await untilMembers(started)
    const needs = await needsOf(there)
    note('memory of a server among two', 'MiB', { server: needs.serverMb })
    note('memory of its Hazelcast member', 'MB', { server: (needs.memberMb * 2 ** 20) / 1e6 }, 110)
    note('start of its Hazelcast member', 's', { server: needs.memberStartSeconds }, 5)
    note('processor of a server among two, at rest', '%', { server: needs.serverIdlePercent })
    note('processor of its Hazelcast member, at rest', '%', { server: needs.memberIdlePercent }, 2)
    const kinds = [
      { name: 'TLS', targets: [await secure(here), await secure(there)] as const, goal: 1.5 },
      { name: 'plain', targets: [plain(here), plain(there)] as const },
    ]
    for (const { name, targets, goal } of kinds) {
      const { sameP50, crossP50 } = await measureDistance(targets, people)
      note(`message on one PC, ${name}, half of them arrive within`, 'ms', { server: sameP50 })
      note(`message to another PC, ${name}, half of them arrive within`, 'ms', { server: crossP50 })
      note(`${name}: that is so many times as long`, '', { server: crossP50 / sameP50 }, goal)
    }
    const cost = await measureCluster([here, there], [plain(here), plain(there)], people, options.seconds)
    note('message to another PC, both servers', 'µs', { server: cost.crossCpu })
    note('messages to another PC, from one to one', 'a second', { server: cost.perSecond }, { atLeast: 5_000 })
    note('archived message to another PC', 'a second', { server: cost.archivedPerSecond })
  } finally {
    for (const one of started) await one.cleanup()
  }
}

async function serve(): Promise<void> {
  const people = crowd(100)
  if (options.names.includes('archive')) await withAppliance(people, archive)
  if (options.names.includes('message')) await withAppliance(people, messages)
  if (options.names.includes('login')) await withAppliance(people, logins)
  if (!options.names.includes('memory')) return
  // Memory that was needed once is hardly ever given back: each of the two gets a server of its own.
  await withAppliance(people, async appliance => {
    note(
      'memory of a silent session, plain',
      'KiB',
      { server: await measureMemory(appliance, plain(appliance), people) },
      15,
    )
  })
  await withAppliance(people, async appliance => {
    note(
      'memory of a silent session, TLS',
      'KiB',
      { server: await measureMemory(appliance, await secure(appliance), people) },
      64,
    )
  })
}

/** DESIGN section 10: at 500 messages a second and above. Unpaced, the server's acknowledgement lets the next ones go. */
async function archive(appliance: Appliance, people: Account[]): Promise<void> {
  const { seconds } = options
  // First, as it warms both up: an office's server has been running for a while.
  const unpaced = await measureMessages(appliance, plain(appliance), people, { isArchived: true, seconds })
  note('archived message, as fast as it goes', 'µs', unpaced, 100)
  for (const perSecond of [500, 2_000, 5_000]) {
    const pace = `${perSecond.toLocaleString('en')} a second`
    const what = `archived message, ${pace}`
    const bare = await measureArchive(appliance, plain(appliance), people, { perSecond, seconds, isArchived: false })
    note(`the same message not archived, ${pace}`, 'µs', { server: bare.server, perSecond: bare.perSecond })
    const { ackMs, ...cost } = await measureArchive(appliance, plain(appliance), people, { perSecond, seconds })
    note(what, 'µs', cost, 100)
    note(`${what}: acknowledged after, half of them`, 'ms', { server: ackMs.p50 })
    note(`${what}: acknowledged after, 99 %`, 'ms', { server: ackMs.p99 })
  }
}

async function messages(appliance: Appliance, people: Account[]): Promise<void> {
  const kinds = [
    { name: 'plain', target: plain(appliance), isArchived: false, goal: 12 },
    { name: 'TLS', target: await secure(appliance), isArchived: false, goal: 20 },
    { name: 'plain, archived', target: plain(appliance), isArchived: true, goal: 100 },
    { name: 'TLS, archived', target: await secure(appliance), isArchived: true },
  ]
  for (const { name, target, isArchived, goal } of kinds) {
    const cost = await measureMessages(appliance, target, people, { isArchived, seconds: options.seconds })
    note(`message, ${name}`, 'µs', cost, goal)
  }
}

async function logins(appliance: Appliance, people: Account[]): Promise<void> {
  const mechanisms: Mechanism[] = ['SCRAM-SHA-1', 'SCRAM-SHA-256']
  for (const mechanism of mechanisms) {
    note(`login, ${mechanism}, plain`, 'ms', await measureLogins(appliance, plain(appliance), people, mechanism), 0.8)
    note(
      `login, ${mechanism}, TLS`,
      'ms',
      await measureLogins(appliance, await secure(appliance), people, mechanism),
      2.2,
    )
  }
}

/** Without TLS nobody may log in; the environment variable allows it to this test alone, on the loopback interface. */
async function withAppliance(people: Account[], use: (appliance: Appliance, people: Account[]) => Promise<void>) {
  await using appliance = await startAppliance({ config: { people }, env: { LANTHORN_TEST_PLAINTEXT: '1' } })
  await use(appliance, people)
}

function plain({ domain, ready }: Appliance): Target {
  return { domain, port: ready.c2s, ca: undefined }
}

async function secure(appliance: Appliance): Promise<Target> {
  return { domain: appliance.domain, port: appliance.ready.c2sTls, ca: await appliance.officeCa() }
}

function note(what: string, unit: string, value: Row['values'][number], goal?: Goal): void {
  const row = rows.get(what) ?? { what, unit, ...(goal !== undefined && { goal }), values: [] }
  row.values.push(value)
  rows.set(what, row)
}

function print(): void {
  const middle = (row: Row, part: 'server' | 'postgres' | 'perSecond') =>
    median(row.values.map(value => value[part] ?? 0))
  const number = (value: number) => (value >= 1_000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3))
  const head = ['', 'unit', 'server', 'PostgreSQL', 'sum', 'goal', '', 'per second', 'all rounds (sum)']
  const body = [...rows.values()].map(row => {
    const sum = median(row.values.map(({ server, postgres = 0 }) => server + postgres))
    const perSecond = middle(row, 'perSecond')
    const all = row.values.map(({ server, postgres = 0 }) => number(server + postgres)).join(' ')
    const parts = [
      number(middle(row, 'server')),
      row.values[0]?.postgres === undefined ? '' : number(middle(row, 'postgres')),
    ]
    return [
      row.what,
      row.unit,
      ...parts,
      number(sum),
      ...verdict(sum, row.goal),
      perSecond ? number(perSecond) : '',
      all,
    ]
  })
  const widths = head.map((_, column) => Math.max(...[head, ...body].map(line => line[column]?.length ?? 0)))
  for (const line of [head, ...body]) {
    process.stdout.write(
      `${line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    )
  }
}

function verdict(sum: number, goal: Goal | undefined): [string, string] {
  if (goal === undefined) return ['', '']
  const [said, isMet] =
    typeof goal === 'number' ? [`≤ ${goal}`, sum <= goal] : [`≥ ${goal.atLeast}`, sum >= goal.atLeast]
  return [said, isMet ? 'ok' : 'MISSED']
}

function readOptions(): { names: Name[]; rounds: number; seconds: number } {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '5' } },
  })
  const wanted = names.filter(name => positionals.length === 0 || positionals.includes(name))
  const rounds = Number(values.rounds)
  const seconds = Number(values.seconds)
  const isKnown = positionals.every(name => names.some(known => known === name))
  if (!isKnown || !(rounds >= 1 && rounds <= 100) || !(seconds >= 1 && seconds <= 600)) {
    process.stderr.write(`usage: npm run bench -- [${names.join('|')} …] [--rounds 1…100] [--seconds 1…600]\n`)
    process.exit(2)
  }
  return { names: wanted, rounds, seconds }
}
