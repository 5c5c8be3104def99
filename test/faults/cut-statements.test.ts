/**
 * The connection to the database is cut at the n-th statement of a turn through login, message, roster, settings and password, n = 1, 2, 3 …: each
 * once before the server has the statement, and once after it has carried it out and before the answer is through.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadFeatures } from '../../server/chat.ts'
import { Database, DatabaseAway } from '../../server/db/pool.ts'
import { freshDatabase, quietLog } from '../support/database.ts'
import { Office } from '../support/office.ts'
import { RawClient } from '../support/raw.ts'
import { type CutMode, openStatementCutter, type StatementCutter } from '../support/statement-cutter.ts'
import { isThorough } from './random.ts'

const rounds = isThorough ? 5 : 1
/** More than all statements of a turn, twice a round. */
const turnsMax = 60 * rounds
/** Nobody waits longer for an answer. */
const silenceMs = 5_000
const nsRoster = 'jabber:iq:roster'

/** What somebody was told. */
type Answer = 'done' | 'again'

interface RosterState {
  name: string | null
  version: number | null
}

let cutter: StatementCutter
/** A connection that nobody cuts. */
let truth: Database
let office: Office
let romeo: RawClient
let juliet: RawClient
let drop: () => Promise<void>
let acked = 0
let sent = 0
/** Stanzas that Juliet has. */
let handled = 0
let password = 'romeo-password'

beforeAll(async () => {
  const fresh = await freshDatabase()
  drop = fresh.drop
  const { connection } = fresh
  truth = new Database({ connection, log: quietLog })
  const { host, port } = connection
  cutter = await openStatementCutter(host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port })
  const cut = { ...connection, host: '127.0.0.1', port: cutter.port, tls: 'disable' } as const
  // What writes on a clock of its own would make the n-th statement another one each time.
  const wanted = ['archive', 'archive-preferences', 'blocking', 'offline', 'registration', 'contacts']
  office = await Office.start({
    db: new Database({ connection: cut, log: quietLog, probeIntervalMs: 20 }),
    features: (await loadFeatures()).filter(one => wanted.includes(one.name)),
    people: ['romeo', 'juliet', 'mercutio'],
  })
  // Of these the server knows nothing until they log in.
  await truth.exec(
    `INSERT INTO account (username, name, verifiers)
     SELECT 'person' || number, 'Person', verifiers FROM account, generate_series(1, $1) AS number WHERE username = 'romeo'`,
    [turnsMax * 3 + 10],
  )
  romeo = await office.client('romeo', { over: 'plain', resource: 'r' })
  await romeo.manage()
  juliet = await office.client('juliet', { over: 'plain', resource: 'j' })
  await juliet.manage()
  for (const client of [romeo, juliet]) client.send('<presence/>')
  await romeo.receives("<presence from='romeo@office.test/r'/>")
  await juliet.receives("<presence from='juliet@office.test/j'/>")
  sent = 1
  handled = 1
}, 60_000)

afterAll(async () => {
  cutter.disarm()
  for (const client of [romeo, juliet]) client.cut()
  await office[Symbol.asyncDispose]()
  await truth.close()
  await cutter.close()
  await drop()
})

test('at whichever statement the connection is cut: an answer in time, the old state or the new one, and on it goes', {
  timeout: 240_000,
}, async () => {
  // One turn with nothing cut tells how many statements there are.
  let number = 1
  const before = cutter.counted
  await turn(number++)
  const perTurn = cutter.counted - before
  expect(perTurn).toBeGreaterThan(10)
  const turns = 2 * perTurn * rounds
  expect(turns).toBeLessThan(turnsMax)
  const told = { done: 0, again: 0 }
  const cuts = new Map<string, number>()
  for (let n = 1; n <= turns; n++) {
    const mode: CutMode = Math.floor((n - 1) / perTurn) % 2 === 0 ? 'before' : 'after'
    cutter.arm(((n - 1) % perTurn) + 1, mode)
    // A cut may spare the statements of its turn that came after it: then the next turn has it.
    for (let tries = 0; cutter.isArmed || tries === 0; tries++) {
      if (tries === 4) throw new Error(`nothing was cut at statement ${n}`)
      try {
        for (const answer of await turn(number++)) told[answer]++
      } catch (error) {
        const where = `n = ${n}, cut ${mode}: ${cutter.lastCut?.replace(/\s+/g, ' ').slice(0, 300)}`
        throw new Error(`${where}: ${error instanceof Error ? error.message : error}`, { cause: error })
      }
    }
    const key = `${mode} ${cutter.lastCut?.replace(/\s+/g, ' ').slice(0, 90)}`
    cuts.set(key, (cuts.get(key) ?? 0) + 1)
  }
  process.stdout.write(
    `${perTurn} statements a turn; told: ${told.done} done, ${told.again} to be tried again; cuts:\n` +
      [...cuts].map(([key, count]) => `${String(count).padStart(4)} ${key}\n`).join(''),
  )
  // The server has not only ever said no.
  expect(told.done).toBeGreaterThan(told.again * 4)
})

/** Everything once. */
async function turn(number: number): Promise<Answer[]> {
  return [
    await login(number),
    await messageOnline(number),
    await messageOffline(number),
    await roster(number),
    await setting(number),
    await passwordChange(number),
  ]
}

/** Somebody whom nobody has seen logs in, comes online and leaves. */
async function login(number: number): Promise<Answer> {
  let answer: Answer = 'done'
  for (let tries = 1; ; tries++) {
    if (await tryLogin(`person${number}`)) return answer
    answer = 'again'
    if (tries === 3) throw new Error('a login is refused again and again')
  }
}

async function tryLogin(username: string): Promise<boolean> {
  const client = await RawClient.connect(office.target('plain'))
  try {
    await client.open()
    const isIn = await inTime('an answer to the login', client.trySasl({ username, password: 'romeo-password' }))
    if (isIn.name !== 'success') {
      if (!isIn.getChild('temporary-auth-failure')) throw new Error(`the login was refused: ${isIn}`)
      return false
    }
    await client.open()
    client.send(
      "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>d</resource></bind></iq>",
    )
    const bound = await client.receives(({ attrs }) => attrs.id === 'b', silenceMs)
    if (isRetryable(bound)) return false
    if (bound.attrs.type !== 'result') throw new Error(`no resource was bound: ${bound}`)
    client.send('<presence/>')
    const came = await client.receives(({ name }) => name === 'presence', silenceMs)
    return !isRetryable(came)
  } finally {
    client.cut()
    await client.closed()
  }
}

/** Romeo writes to Juliet, who is here: she has it at once, and his acknowledgement comes when it is kept. Then she says that she has it. */
async function messageOnline(number: number): Promise<Answer> {
  const body = `online ${number}`
  sendMessage('juliet', body)
  await juliet.receives(`<message><body>${body}</body></message>`, silenceMs)
  await acknowledged()
  expect(await rowsOf(body)).toEqual([true])
  juliet.send(`<a xmlns='urn:xmpp:sm:3' h='${++handled}'/>`)
  await juliet.leftovers()
  handled++ // the answer to the question that `leftovers` asks
  expect(await rowsOf(body)).toEqual([false])
  return 'done'
}

/** Romeo writes to Mercutio, who is not: kept and acknowledged, or refused and not kept. */
async function messageOffline(number: number): Promise<Answer> {
  const body = `offline ${number}`
  sendMessage('mercutio', body)
  await acknowledged()
  const refusals = (await romeo.leftovers()).filter(({ name }) => name === 'message')
  sent++ // the question that `leftovers` asks
  const refusal = refusals.find(({ attrs }) => attrs.id === body)
  if (refusal && !isRetryable(refusal)) throw new Error(`the message was refused: ${refusal}`)
  await office.chat.parts.queue.flushed()
  expect(await rowsOf(body)).toEqual(refusal ? [] : [true])
  return refusal ? 'again' : 'done'
}

/** Romeo gives Juliet another name in his contact list. */
async function roster(number: number): Promise<Answer> {
  const old = await rosterState()
  const name = `Juliet ${number}`
  const item = `<item jid='juliet@office.test' name='${name}'/>`
  const answer = await asked(`<query xmlns='${nsRoster}'>${item}</query>`)
  const next = await rosterState()
  if (answer === 'done') expect(next.name).toBe(name)
  expect([old.name, name]).toContain(next.name)
  // The version is new if and only if the contact is.
  expect(next.version !== old.version).toBe(next.name !== old.name)
  sent++
  romeo.send(`<iq type='get' id='g${number}'><query xmlns='${nsRoster}'/></iq>`)
  const list = await romeo.receives(({ attrs }) => attrs.id === `g${number}`, silenceMs)
  const query = list.getChild('query', nsRoster)
  if (isRetryable(list)) return 'again'
  expect(query?.getChild('item')?.attrs.name ?? null).toBe(next.name)
  expect(Number(query?.attrs.ver)).toBe(next.version ?? 0)
  return answer
}

/** An administrator changes a setting: value, history and counter go together. */
async function setting(number: number): Promise<Answer> {
  const { settings } = office.chat.parts
  const key = 'offline.waitingMax'
  const old = await settingState(key)
  const wanted = 2_000 + number
  let answer: Answer = 'done'
  try {
    await inTime('an answer to the change of a setting', settings.set(key, wanted, 'anna'))
  } catch (error) {
    if (!(error instanceof DatabaseAway)) throw error
    answer = 'again'
  }
  const next = await settingState(key)
  const isNew = next.value === wanted
  if (answer === 'done') expect(isNew).toBe(true)
  expect(next).toEqual(isNew ? { value: wanted, changes: old.changes + 1, counter: old.counter + 1 } : old)
  await settings.load()
  expect(settings.values()[key]).toBe(next.value ?? 1_000)
  return answer
}

/** Romeo chooses another password in his chat program. */
async function passwordChange(number: number): Promise<Answer> {
  const wanted = `another-password-${number}`
  const answer = await asked(
    `<query xmlns='jabber:iq:register'><username>romeo</username><password>${wanted}</password></query>`,
  )
  // Exactly one of both opens the door.
  const opens = [await isPassword(password), await isPassword(wanted)]
  if (answer === 'done') expect(opens).toEqual([false, true])
  expect(opens.filter(Boolean)).toHaveLength(1)
  if (opens[1]) password = wanted
  return answer
}

async function isPassword(tried: string): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    const client = await RawClient.connect(office.target('plain'))
    try {
      await client.open()
      const { children } = await inTime('an answer', client.trySasl({ username: 'romeo', password: tried }))
      const text = children.map(String).join('')
      if (!text.includes('temporary-auth-failure')) return !text.includes('not-authorized')
      if (tries === 3) throw new Error('a login is refused again and again')
    } finally {
      client.cut()
      await client.closed()
    }
  }
}

let questions = 0

/** A request of Romeo to his own account. */
async function asked(payload: string): Promise<Answer> {
  const id = `q${++questions}`
  sent++
  romeo.send(`<iq type='set' id='${id}'>${payload}</iq>`)
  const answer = await romeo.receives(({ name, attrs }) => name === 'iq' && attrs.id === id, silenceMs)
  if (answer.attrs.type === 'result') return 'done'
  if (isRetryable(answer)) return 'again'
  throw new Error(`refused for good: ${answer}`)
}

function sendMessage(to: string, body: string): void {
  sent++
  romeo.send(`<message to='${to}@office.test' type='chat' id='${body}'><body>${body}</body></message>`)
}

/** Everything that Romeo has sent is acknowledged (XEP-0198). */
async function acknowledged(): Promise<void> {
  romeo.send("<r xmlns='urn:xmpp:sm:3'/>")
  const end = performance.now() + silenceMs
  while (acked < sent) {
    const left = end - performance.now()
    const { attrs } = await romeo.receives(({ name }) => name === 'a', Math.max(1, left))
    acked = Number(attrs.h)
  }
}

function isRetryable(answer: {
  attrs: Record<string, string>
  getChild(name: string): { attrs: Record<string, string> } | undefined
}): boolean {
  return answer.attrs.type === 'error' && answer.getChild('error')?.attrs.type === 'wait'
}

/** Whether each row with this text waits. */
async function rowsOf(body: string): Promise<boolean[]> {
  await expect.poll(() => office.chat.parts.queue.isIdle, { timeout: silenceMs, interval: 2 }).toBe(true)
  const rows = await truth.query<{ pending: boolean }>('SELECT pending FROM archive WHERE stanza LIKE $1', [
    `%<body>${body}</body>%`,
  ])
  return rows.map(({ pending }) => pending)
}

async function rosterState(): Promise<RosterState> {
  const row = await truth.one<RosterState>(
    `SELECT (SELECT name FROM roster WHERE username = 'romeo' AND jid = 'juliet@office.test') AS name,
            (SELECT version FROM roster_version WHERE username = 'romeo') AS version`,
  )
  return { name: row?.name ?? null, version: row?.version === null ? null : Number(row?.version) }
}

async function settingState(key: string): Promise<{ value: unknown; changes: number; counter: number }> {
  const row = await truth.one<{ value: unknown; changes: number; counter: string }>(
    `SELECT (SELECT value FROM setting WHERE key = $1) AS value,
            (SELECT count(*)::int FROM setting_history WHERE key = $1) AS changes,
            (SELECT counter FROM setting_counter) AS counter`,
    [key],
  )
  return { value: row?.value ?? null, changes: row?.changes ?? 0, counter: Number(row?.counter ?? 0) }
}

async function inTime<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come within ${silenceMs} ms`)), silenceMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
