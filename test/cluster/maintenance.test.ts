/** What a year brings to an office on three PCs, one of which has the database: they are restarted, taken out, killed, removed and added to, while people chat. */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { drainNode, makeJoinCode, removeNode, resumeNode } from '../../server/admin/contract/nodes.ts'
import { addPerson, removePerson, resetPassword } from '../../server/admin/contract/people.ts'
import { changeSetting, listSettings } from '../../server/admin/contract/settings.ts'
import { type GoodClient, type Person, targetOf } from '../faults/good-client.ts'
import { canBreakProcesses, gone, postgresOf, signalAll } from '../faults/processes.ts'
import { chance, isThorough, some } from '../faults/random.ts'
import { type Appliance, people, startAppliance } from '../support/appliance.ts'
import { logIn, pythonWithSlixmpp } from '../support/clients.ts'
import { canMakeNetworks } from '../support/lab/lab.ts'
import { type LabNode, LabOffice, ports } from '../support/lab/office.ts'
import { eventually } from '../support/postgres-server.ts'
import { RawClient } from '../support/raw.ts'
import { Talk } from './talk.ts'

const main = fileURLToPath(new URL('../../server/main.ts', import.meta.url))
const run = promisify(execFile)
/** People who stay where they are may wait so long for a message, on a busy computer, while another PC goes or comes. */
const stallMsMax = 1_500
const loginMsMax = 5_000
/** Acknowledgements come so soon after the main database is back. */
const ackMsMax = 5_000

let office: LabOffice
/** The one with the main database, and the two others. */
let base: LabNode
let left: LabNode
let right: LabNode
/** What was written to stderr by runs that are over. */
const complaints: string[] = []

const everybody = ['romeo', 'juliet', 'mercutio', 'anna'] as const satisfies Person[]
const say = (text: string): boolean => process.stdout.write(`maintenance: ${text}\n`)
const ms = (from: number): string => `${Math.round(performance.now() - from)} ms`

beforeAll(async () => {
  if (!canMakeNetworks || !canBreakProcesses || !isThorough) return
  const since = performance.now()
  office = await LabOffice.open({ pcs: 3, others: 1, database: 'embedded' })
  const { nodes } = await office.view(office.node(1))
  const mainName = nodes.find(({ database }) => database === 'main')?.name
  const others = office.nodes.filter(({ appliance }) => appliance.ready.node !== mainName)
  base = office.nodes.find(node => !others.includes(node))!
  ;[left, right] = others as [LabNode, LabNode]
  say(`three PCs are one office after ${ms(since)}; the database is on ${base.name}`)
}, 60_000)

afterAll(async () => {
  await office?.[Symbol.asyncDispose]()
}, 60_000)

const goneSeen = ({ others }: GoodClient): string[] =>
  others
    .filter(({ name, attrs }) => name === 'presence' && attrs.type === 'unavailable')
    .map(({ attrs }) => `${attrs.from}`)

/** The 'host:port' that a client was told to go to. */
function sentTo({ others }: GoodClient): string[] {
  return others
    .filter(({ name }) => name === 'stream:error')
    .map(error => error.getChildText('see-other-host') ?? `${error}`)
}

/** Stops a PC as a service manager does. Nothing of it may stay behind. */
async function stopInOrder({ appliance }: LabNode): Promise<number> {
  const since = performance.now()
  complaints.push(appliance.stderr)
  expect(await appliance.stop()).toBe(0)
  const took = performance.now() - since
  expect(await leftOf(appliance), 'processes left behind').toEqual([])
  return Math.round(took)
}

/** Command lines of processes that work on the data folder of a PC. */
async function leftOf({ dataDir }: Appliance): Promise<string[]> {
  const found: string[] = []
  for (const pid of await readdir('/proc')) {
    const line = /^\d+$/.test(pid) ? await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '') : ''
    if (line.includes(dataDir)) found.push(`${pid} ${line.replaceAll('\0', ' ')}`)
  }
  return found
}

async function startAgain({ appliance }: LabNode): Promise<number> {
  const since = performance.now()
  await appliance.start()
  return Math.round(performance.now() - since)
}

/** The command line on a PC. */
async function cli({ host, appliance }: LabNode, ...args: string[]): Promise<string> {
  const [program = 'ip', ...rest] = host.through
  const { stdout } = await run(program, [...rest, process.execPath, main, ...args, '--data', appliance.dataDir])
  return stdout
}

/** @returns how the login went and how long that took, milliseconds */
async function tryToLogIn(node: LabNode, person: Person): Promise<{ took: number; how: string }> {
  const since = performance.now()
  const client = await RawClient.connect(await targetOf(node.appliance)).catch(String)
  if (typeof client === 'string') return { took: Math.round(performance.now() - since), how: client }
  const login = async (): Promise<string> => {
    await client.authenticate({ ...people[person] })
    await client.bind('second')
    return 'logged in'
  }
  const refusal = client.receives(({ name }) => name === 'stream:error', 20_000).then(String)
  refusal.catch(() => undefined) // there is none
  const how = await Promise.race([login(), refusal]).catch(String)
  client.cut()
  return { took: Math.round(performance.now() - since), how }
}

// Two minutes and a half: in thorough runs only.
describe.skipIf(!canMakeNetworks || !canBreakProcesses || !isThorough)(
  'an office on three PCs, one with the database',
  () => {
    test('all PCs are restarted one after the other: people go on elsewhere, nobody is seen to go', async () => {
      await using talk = await Talk.start({ romeo: [base], juliet: [left], mercutio: [right], anna: [right] })
      await talk.befriend()
      await talk.goesOn('romeo')
      for (const { client } of everybody.map(person => ({ client: talk.client(person) }))) client.others.length = 0
      const moves: [LabNode, LabNode, Person[]][] = [
        [left, right, ['juliet']],
        [right, left, ['juliet', 'mercutio', 'anna']],
        [base, right, ['romeo']],
      ]
      for (const [node, to, movers] of moves) {
        const from = performance.now()
        for (const person of movers) talk.moves(person, [to])
        const stopped = await stopInOrder(node)
        const started = await startAgain(node)
        await office.isWhole()
        await talk.goesOn('romeo')
        await talk.goesOn('juliet')
        await talk.goesOn('anna')
        const until = performance.now()
        const stall = Math.max(...everybody.map(person => talk.longestGap(person, from, until).ms))
        say(
          `${node === base ? 'the PC with the database' : 'a PC'} restarted: stopped in ${stopped} ms, there again in ${started} ms, whole after ${Math.round(until - from)} ms; nobody waited longer than ${Math.round(stall)} ms; back after ${movers.map(person => `${Math.round(talk.backAfter(person).at(-1) ?? -1)} ms`).join(', ')}`,
        )
        for (const person of movers) expect([person, talk.client(person).outcome]).toEqual([person, 'resumed'])
        expect(stall).toBeLessThan(stallMsMax)
      }
      for (const person of everybody) {
        const told = sentTo(talk.client(person))
        for (const place of told) expect(place).toMatch(/^10\.\d+\.\d+\.[1-3]:5223$/)
        expect(told.length, `${person} was sent elsewhere`).toBeGreaterThan(0)
        expect(goneSeen(talk.client(person)), `${person} saw go`).toEqual([])
      }
      await talk.stop()
      const { acknowledged } = await talk.expectKept(left)
      await office.knows(4)
      say(`${acknowledged} acknowledged, 0 lost, 0 twice, nobody was seen to go`)
    }, 150_000)

    test('a PC is taken out by the command line, another one from afar, and both are put back', async () => {
      await using talk = await Talk.start({ romeo: [right], juliet: [left], mercutio: [right], anna: [right] })
      await talk.goesOn('romeo')
      talk.moves('juliet', [base])
      const since = performance.now()
      const { name } = (await office.view(left)).nodes.find(({ here }) => here)!
      expect(JSON.parse(await cli(left, 'drain', '--json'))).toEqual({ name, moved: 1, left: 0 })
      const took = ms(since)
      await talk.goesOn('juliet')
      expect(talk.client('juliet').outcome).toBe('resumed')
      expect((await tryToLogIn(left, 'anna')).how).toContain('see-other-host')
      await eventually('all to see it paused', async () =>
        (await office.view(base)).nodes.some(node => node.name === name && node.state === 'paused'),
      )
      expect(await cli(left, 'drain', '--resume')).toBe(`People can log in on ${name} again.\n`)
      await office.isWhole()
      talk.moves('juliet', [left])
      const from = performance.now()
      expect(await office.ask(left, drainNode, { params: { name: base.appliance.ready.node } })).toEqual({
        moved: 1,
        left: 0,
      })
      await talk.goesOn('juliet')
      expect(talk.client('juliet').outcome).toBe('resumed')
      say(`taken out by the command line in ${took}, by the pages of another PC in ${ms(from)}`)
      await office.ask(right, resumeNode, { params: { name: base.appliance.ready.node } })
      await office.isWhole()
      await talk.stop()
      await talk.expectKept(left)
    }, 60_000)

    const deaths = [
      ['alone', false],
      ['with its PostgreSQL', true],
    ] as const
    test.each(some(deaths, 1, chance()))(
      'the PC with the database is killed, %s: people chat on, and everything is kept',
      async (_, withDatabase) => {
        await using talk = await Talk.start({ romeo: [left], juliet: [right], mercutio: [base, left], anna: [left] })
        await talk.goesOn('romeo')
        talk.moves('mercutio', [left])
        // What nobody on a PC has asked for since its start, it does not know without the database.
        for (const node of [left, right]) await tryToLogIn(node, 'mercutio')
        const database = withDatabase ? await postgresOf(base.appliance.dataDir) : []
        complaints.push(base.appliance.stderr)
        const from = performance.now()
        await base.appliance.kill()
        signalAll(database, 'SIGKILL')
        await gone(database)
        await delay(1_000)
        const known = await tryToLogIn(left, 'romeo')
        const other = await tryToLogIn(right, 'mercutio')
        await delay(Math.max(0, 5_000 - (performance.now() - from)))
        const until = performance.now()
        const stall = Math.max(talk.longestGap('juliet', from, until).ms, talk.longestGap('romeo', from, until).ms)
        const isTheirs = (line: string): boolean => withDatabase || !line.includes('postgres')
        expect((await leftOf(base.appliance)).filter(isTheirs), 'processes left behind').toEqual([])
        const started = await startAgain(base)
        const ready = performance.now()
        await talk.goesOn('romeo', 1)
        const acked = performance.now() - ready
        await talk.goesOn('mercutio')
        say(
          `PC with the database killed${withDatabase ? ' with its PostgreSQL' : ''}: others waited ${Math.round(stall)} ms at most; login meanwhile: ${known.how} (${known.took} ms), of somebody else: ${other.how} (${other.took} ms); there again in ${started} ms, acknowledgements ${Math.round(acked)} ms later; Mercutio was back after ${talk.backAfter('mercutio').map(Math.round)} ms`,
        )
        await talk.stop()
        await office.isWhole()
        // Nobody could tell Mercutio what of his was kept: he has sent again what might have been lost.
        await talk.expectKept(left, { mayRepeat: ['mercutio'] })
        await office.knows(4)
        expect(stall).toBeLessThan(stallMsMax)
        expect(Math.max(known.took, other.took)).toBeLessThan(loginMsMax)
        expect(acked).toBeLessThan(ackMsMax)
      },
      60_000,
    )

    test('what is changed on one PC is so on all at once: a setting, a person, a password, a removal', async () => {
      const key = 'stream-management.maxUnacked'
      const valueOn = async (node: LabNode): Promise<unknown> =>
        (await office.ask(node, listSettings)).groups.flatMap(({ settings }) => settings).find(one => one.key === key)
          ?.value
      const since = performance.now()
      const saved = await office.ask(left, changeSetting, { params: { key }, body: { value: 4321 } })
      const changed = ms(since)
      expect(new Set(saved.pcs.map(({ state }) => state))).toEqual(new Set(['applied']))
      expect([await valueOn(right), await valueOn(base)]).toEqual([4321, 4321])
      say(`a setting was applied on all after ${changed}`)
      const hermia = { username: 'hermia', password: 'though-she-be-but-little' }
      const made = performance.now()
      await office.ask(left, addPerson, { body: { ...hermia, name: 'Hermia' } })
      await using onRight = await RawClient.logIn(await targetOf(right.appliance), { ...hermia, resource: 'right' })
      await using onBase = await RawClient.logIn(await targetOf(base.appliance), { ...hermia, resource: 'base' })
      say(`a person made on one PC was logged in on both others after ${ms(made)}`)
      const reset = performance.now()
      await office.ask(left, resetPassword, { params: { username: 'hermia' }, body: { password: 'she-is-fierce' } })
      await Promise.all([onRight.closed(), onBase.closed()])
      say(`a new password ended the devices on the others after ${ms(reset)}`)
      await expect(RawClient.logIn(await targetOf(right.appliance), { ...hermia, resource: 'right' })).rejects.toThrow()
      const fierce = { ...hermia, password: 'she-is-fierce' }
      await using again = await RawClient.logIn(await targetOf(base.appliance), { ...fierce, resource: 'base' })
      const removed = performance.now()
      await office.ask(right, removePerson, { params: { username: 'hermia' } })
      await again.closed()
      say(`a removal ended the device on another PC after ${ms(removed)}`)
      await expect(RawClient.logIn(await targetOf(left.appliance), { ...fierce, resource: 'x' })).rejects.toThrow(
        'login failed',
      )
    }, 30_000)

    test('two chat programs of other people talk across', async () => {
      const python = pythonWithSlixmpp() !== undefined
      const first = { library: python ? 'slixmpp' : 'stanza', transport: python ? 'STARTTLS' : 'WebSocket' } as const
      await using romeo = await logIn(left.appliance, first, people.romeo)
      await using juliet = await logIn(
        right.appliance,
        { library: '@xmpp/client', transport: 'direct TLS' },
        people.juliet,
      )
      const since = performance.now()
      await romeo.message(juliet.bareJid, 'it is the east')
      await juliet.next(stanza => stanza.name === 'message' && stanza.getChildText('body') === 'it is the east')
      await juliet.message(romeo.jid, 'ay me')
      await romeo.next(stanza => stanza.name === 'message' && stanza.getChildText('body') === 'ay me')
      say(`${first.library} and @xmpp/client: there and back in ${ms(since)}`)
    }, 30_000)

    test('a PC is removed for good, and a fresh one joins by a join code, while people chat', async () => {
      await using talk = await Talk.start({ romeo: [base], juliet: [left], mercutio: [right], anna: [right] })
      await talk.goesOn('romeo')
      talk.moves('juliet', [right])
      const { name, number } = (await office.view(left)).nodes.find(({ here }) => here)!
      const from = performance.now()
      await office.ask(base, removeNode, { params: { name }, body: { typed: name } })
      await talk.goesOn('juliet')
      const back = ms(from)
      await office.isWhole([base, right])
      await eventually('the removed PC to say so', async () => {
        const said = await office.view(left).catch(String)
        return String(said).includes('was removed from its office')
      })
      const said = ms(from)
      expect((await tryToLogIn(left, 'anna')).how).not.toBe('logged in')

      const since = performance.now()
      const { code } = await office.ask(right, makeJoinCode)
      const folder = await mkdtemp(path.join(tmpdir(), 'lanthorn-fourth-'))
      await using _ = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true, maxRetries: 5 }) }
      await chmod(folder, 0o755)
      const dataDir = path.join(folder, 'data')
      await mkdir(dataDir, { mode: 0o755 })
      const state = { format: 1, nodeId: randomUUID(), nodeName: name, epoch: 0, listen: { host: '0.0.0.0', ...ports } }
      await writeFile(path.join(dataDir, 'node.json'), JSON.stringify(state), { mode: 0o600 })
      const host = office.lab.hosts[3]!
      const [program = 'ip', ...rest] = host.through
      const joined = await run(program, [...rest, process.execPath, main, 'join', code, '--data', dataDir, '--json'])
      const welcomed = ms(since)
      expect(JSON.parse(joined.stdout)).toMatchObject({ office: 'ACME' })
      await using appliance = await startAppliance({ dataDir, through: host.through, host: host.address })
      const fresh: LabNode = { name: host.name, host, appliance }
      talk.moves('mercutio', [fresh])
      await talk.client('mercutio').cut()
      await talk.goesOn('mercutio', 1)
      await talk.goesOn('anna', 1)
      say(
        `removed: its people were back after ${back}, it said so after ${said}; a fresh PC: welcome after ${welcomed}, message across after ${ms(since)}`,
      )
      await eventually('three PCs', async () => {
        const { nodes } = await office.view(base)
        return nodes.length === 3 && nodes.every(one => one.state === 'on')
      })
      const { nodes } = await office.view(base)
      expect(nodes.map(one => one.name)).not.toContain(name)
      expect(nodes.map(one => one.number)).not.toContain(number)
      complaints.push(appliance.stderr)
      await talk.stop()
      await talk.expectKept(base)
    }, 60_000)

    test('nobody complained', async () => {
      for (const { appliance } of office.nodes) complaints.push(appliance.stderr)
      expect(complaints.join('\n')).not.toMatch(/Warning|unhandled|"level":60/i)
    })
  },
)
