/** Further PCs join an office that is there: one by a join code on the command line, one in the wizard with a code that is compared on both screens. */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chmod, mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { getJoining, getMerging, startJoining, startMerging } from '../../server/admin/contract/joining.ts'
import { answerJoin, makeJoinCode } from '../../server/admin/contract/nodes.ts'
import { connect } from '../../server/cli/client.ts'
import { type Appliance, anyFreePort, people, startAppliance } from '../support/appliance.ts'
import { logIn } from '../support/clients.ts'
import { eventually, quietPort } from '../support/postgres-server.ts'
import { adminOf, isWhole, startWith, viewOf, withoutJava } from '../support/small-office.ts'

const main = fileURLToPath(new URL('../../server/main.ts', import.meta.url))
const tls = { library: '@xmpp/client', transport: 'direct TLS' } as const

let first: Appliance
const all: Appliance[] = []

/** The command line. */
function lanthorn(...args: string[]) {
  return promisify(execFile)(process.execPath, [main, ...args], { env: { ...process.env, ...withoutJava } })
}

/** A data folder in which nobody has made an office, with ports of its own. */
async function freshFolder(nodeName: string): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'lanthorn-joining-'))
  await chmod(folder, 0o755)
  const dataDir = path.join(folder, 'data')
  await mkdir(dataDir, { mode: 0o755 })
  const listen = { host: '127.0.0.1', ...anyFreePort }
  const state = { format: 1, nodeId: randomUUID(), nodeName, epoch: 0, listen }
  await writeFile(path.join(dataDir, 'node.json'), JSON.stringify(state), { mode: 0o600 })
  return dataDir
}

beforeAll(async () => {
  first = await startWith({
    node: 'front-desk',
    cluster: { enabled: true, discovery: { port: await quietPort() } },
    settings: { 'passwords.iterations': 4096 },
  })
  all.push(first)
}, 60_000)

afterAll(async () => {
  await Promise.all(all.map(one => one.cleanup()))
})

test('a join code lets one PC in, by “lanthorn join” into an empty folder, and only one', async () => {
  const { code } = await (await adminOf(first))(makeJoinCode)
  const join = (dataDir: string) => lanthorn('join', code, '--data', dataDir, '--json')
  const dataDir = await freshFolder('front-desk')
  expect(JSON.parse((await join(dataDir)).stdout)).toEqual({ office: 'ACME', name: 'front-desk-2' })
  await expect(join(await freshFolder('too-late'))).rejects.toMatchObject({
    stderr: expect.stringContaining('does not know this join code'),
  })
  const second = await startAppliance({ dataDir, env: withoutJava })
  all.push(second)
  await isWhole(all)
  const romeo = await logIn(first, tls, people.romeo)
  const juliet = await logIn(second, tls, people.juliet)
  for (const command of ['nodes', 'status']) {
    const { stdout } = await lanthorn(command, '--data', dataDir)
    expect(stdout, command).toMatch(/✓ front-desk: Works\.\n.*\n {4}main database; Hazelcast off/)
    expect(stdout, command).toMatch(/✓ front-desk-2 \(this PC\): Works\.\n.*\n {4}main database on front-desk;/)
    expect(stdout, command).toMatch(/ {4}links: front-desk \d+\.\d ms\n?/)
  }
  await juliet.message(romeo.bareJid, 'over here')
  await romeo.next(stanza => stanza.name === 'message' && stanza.getChildText('body') === 'over here')
  await Promise.all([romeo.close(), juliet.close()])
}, 90_000)

test('in the wizard both screens show one code, and Accept makes it a PC of the office', async () => {
  const dataDir = await freshFolder('meeting-room')
  const starting = startAppliance({ dataDir, env: withoutJava, isUnattended: false })
  starting.catch(() => undefined) // told below
  const wizard = await startedJoining(dataDir, `127.0.0.1:${first.ready.cluster}`)
  const joining = async () => (await wizard(getJoining)).joining
  await eventually('the code', async () => (await joining()).state === 'compare')
  // The request is seen, and answered, on another PC than the one that was asked.
  const other = all.at(-1)!
  await eventually('the request', async () => (await viewOf(other)).requests.length === 1)
  const [request] = (await viewOf(other)).requests
  expect(request).toMatchObject({ name: 'meeting-room', code: (await joining()).code })
  await (await adminOf(other))(answerJoin, { params: { id: request!.id }, body: { accept: true } })
  all.push(await starting)
  await isWhole(all)
}, 90_000)

test('a PC with an office of its own brings its people along, but nobody whose name is taken', async () => {
  const rosaline = { username: 'rosaline', password: 'fair-and-far-away', name: 'Rosaline' }
  const branch = await startWith({
    ...{ office: 'Branch', domain: 'branch.test', node: 'branch' },
    people: [rosaline, { ...people.romeo, password: 'another-romeo-entirely' }],
    cluster: { enabled: true, discovery: { port: await quietPort() } },
    settings: { 'passwords.iterations': 4096 },
  })
  try {
    const before = await logIn(branch, tls, rosaline)
    await before.rosterSet('anna@branch.test', 'The other Anna')
    await before.rosterSet('nurse@elsewhere.test', 'Nurse')
    await before.close()
    const { code } = await (await adminOf(first))(makeJoinCode)
    await (await adminOf(branch))(startMerging, { body: { code, people: 'bring', typed: 'Branch' } })
    let told: string | undefined
    await eventually('the branch to be part of the office', async () => {
      const { joining } = (await (await adminOf(branch))(getMerging).catch(() => undefined)) ?? {}
      told = joining?.sentence ?? joining?.problem?.sentence
      return joining?.state === 'joined' || joining?.state === 'failed'
    })
    expect(told).toMatch(/1 person came along\. Not anna, romeo: in ACME somebody else has that user name already\./)
    await isWhole([...all, branch])
    const after = await logIn(first, tls, rosaline)
    expect(await after.rosterGet()).toMatchObject([{ jid: 'nurse@elsewhere.test', name: 'Nurse' }])
    await after.close()
  } finally {
    await branch.cleanup()
  }
}, 90_000)

async function startedJoining(dataDir: string, address: string) {
  let client: Awaited<ReturnType<typeof connect>> | undefined
  await eventually('the wizard', async () => {
    client = await connect(dataDir).catch(() => undefined)
    return (await client?.(startJoining, { body: { address } }).catch(() => undefined)) !== undefined
  })
  return client!
}
