/** The admin side with everything real behind it (PostgreSQL, chat, certificates), reached without sockets. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Admin } from '../../server/admin/admin.ts'
import type { Origin } from '../../server/admin/caller.ts'
import type { Problem } from '../../server/admin/contract/errors.ts'
import { adminMigrations } from '../../server/admin/open-office.ts'
import type { AdminParts, Check, OfficeMade, OfficeParts } from '../../server/admin/parts.ts'
import { createRecovery } from '../../server/admin/recovery.ts'
import { type Chat, loadFeatures, startChat } from '../../server/chat.ts'
import { feature } from '../../server/core/feature.ts'
import { tryDatabase } from '../../server/db/inspect/inspect.ts'
import type { Database } from '../../server/db/pool.ts'
import { createLog } from '../../server/log.ts'
import { createAuthority, issue } from '../../server/net/ca.ts'
import { openServerTls } from '../../server/net/tls.ts'
import { BackupDeskInMemory, DatabaseDeskInMemory, UpdatesDeskInMemory } from './admin-desks.ts'
import { openDatabase } from './database.ts'
import { JoinDeskInMemory, NodesDeskInMemory } from './node-desks.ts'

export const anna = { username: 'anna', password: 'anna-has-the-keys', name: 'Anna Kessler' } as const
export const ben = { username: 'ben', password: 'ben-may-only-chat', name: 'Ben Hall' } as const

/** What stands behind the Database, Backup, PCs and Updates pages. */
export interface AdminDesks {
  readonly database: DatabaseDeskInMemory
  readonly backups: BackupDeskInMemory
  readonly nodes: NodesDeskInMemory
  readonly updates: UpdatesDeskInMemory
  /** Joining from the wizard. */
  readonly join: JoinDeskInMemory
  /** Joining with a PC that has an office. */
  readonly merge: JoinDeskInMemory
}

/** What a test may change. */
export interface AdminBenchOptions {
  /** 'ready' (default) has an office with the administrator anna and the person ben; 'fresh' waits for set-up; 'starting' does not yet. */
  stage?: 'ready' | 'fresh' | 'starting'
  uiFolder?: string
  updates?: UpdatesDeskInMemory
  checks?: readonly Check[]
  /** Parts of the office in place of the usual ones. */
  office?: Partial<OfficeParts>
  createOffice?: (make: () => Promise<void>) => Promise<OfficeMade>
}

/** A running admin side and the means to look behind it. */
export class AdminBench implements AsyncDisposable {
  readonly admin: Admin
  readonly db: Database
  /** Where requests seem to come from; a test changes it to be somebody else. */
  readonly origin: { address: string; isSecure: boolean; port: number; isLocal: boolean }
  readonly #closers: (() => Promise<unknown>)[]
  /** Milliseconds added to the clock. */
  readonly clock: { ahead: number }
  chat: Chat | undefined
  /** Whether the server was asked to stop. */
  isStopped = false
  readonly dataFolder: string
  /** What stands behind the Database, Backup and PCs pages: in memory, moved on by the test. */
  readonly desks: AdminDesks

  constructor(
    made: Pick<AdminBench, 'admin' | 'db' | 'origin' | 'clock' | 'dataFolder' | 'desks'>,
    closers: (() => Promise<unknown>)[],
  ) {
    this.admin = made.admin
    this.db = made.db
    this.origin = made.origin
    this.clock = made.clock
    this.dataFolder = made.dataFolder
    this.desks = made.desks
    this.#closers = closers
  }

  /** The chat; a test asks for it after set-up only. */
  get open(): Chat {
    if (!this.chat) throw new Error('there is no office in this test yet')
    return this.chat
  }

  /** One request; JSON in and out. Changing ones come from our own page unless the headers say otherwise. */
  async ask<T = { error: Problem }>(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    url: string,
    options: {
      body?: unknown
      cookie?: string | undefined
      headers?: Record<string, string>
      isOwnPage?: boolean
    } = {},
  ) {
    const { body, cookie, headers = {}, isOwnPage = true } = options
    const scheme = this.origin.isSecure ? 'https' : 'http'
    const host = headers.host ?? `127.0.0.1:${this.origin.port}`
    const response = await this.admin.app.inject({
      method,
      url,
      headers: {
        host,
        ...(isOwnPage && method !== 'GET' && { origin: `${scheme}://${host}` }),
        ...(cookie !== undefined && { cookie }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { payload: JSON.stringify(body) }),
    })
    const isJson = String(response.headers['content-type'] ?? '').startsWith('application/json')
    const cookies = response.cookies.map(({ name, value }) => `${name}=${value}`)
    return {
      status: response.statusCode,
      json: (isJson ? response.json() : {}) as T,
      text: response.body,
      headers: response.headers,
      cookie: cookies.join('; ') || undefined,
      setCookie: String(response.headers['set-cookie'] ?? ''),
    }
  }

  /** Signs somebody in. @returns the cookie */
  async signIn(person: { username: string; password: string } = anna): Promise<string> {
    const { username, password } = person
    const { status, cookie, text } = await this.ask('POST', '/api/session', { body: { username, password } })
    if (status !== 200 || cookie === undefined) throw new Error(`signing in failed: ${text}`)
    return cookie
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closers.reverse()) await close()
  }
}

/** Starts one; `await using bench = await openAdmin()` ends it. */
export async function openAdmin(options: AdminBenchOptions = {}): Promise<AdminBench> {
  const dataFolder = await mkdtemp(path.join(tmpdir(), 'lanthorn-admin-'))
  const db = await openDatabase()
  const log = createLog({ terminal: { write: () => true }, level: 'debug' })
  const clock = { ahead: 0 }
  const now = () => Date.now() + clock.ahead
  const origin = { address: '127.0.0.1', isSecure: true, port: 9091, isLocal: true }
  let count = 0
  const nextId = () => `${String(Date.now()).padStart(16, '0')}-${String(count++).padStart(8, '0')}`
  const desks: AdminDesks = {
    database: new DatabaseDeskInMemory(now),
    backups: new BackupDeskInMemory(dataFolder, now),
    nodes: new NodesDeskInMemory(now),
    updates: options.updates ?? new UpdatesDeskInMemory(),
    join: new JoinDeskInMemory(),
    merge: new JoinDeskInMemory(),
  }
  const closers: (() => Promise<unknown>)[] = [
    () => rm(dataFolder, { recursive: true, force: true }),
    () => db.close(),
    () => log.close(),
  ]
  const secrets = new Map<string, string>()
  let bench: AdminBench | undefined
  const make = async (office: string, domain: string, admin: { username: string; password: string; name: string }) => {
    if (!bench) throw new Error('the bench is not made yet')
    const chat = await startTestChat(db, domain, log.logger)
    closers.push(() => chat.close())
    bench.chat = chat
    await chat.parts.accounts.create({ ...admin, isAdmin: true })
    const parts = await officeOf(chat, { office, domain, now, secrets, desks, checks: options.checks ?? [] })
    await bench.admin.open({ ...parts, ...options.office })
  }
  const parts: AdminParts = {
    version: '0.0.0-test',
    pc: 'front-desk',
    log: log.logger,
    recent: log.recent,
    now,
    nextId,
    dataFolder,
    uiFolder: options.uiFolder ?? path.join(dataFolder, 'no-ui'),
    listen: { host: '127.0.0.1', admin: 0, adminPlain: 0 },
    setup: {
      suggestedDomain: () => 'acme.example',
      createOffice: async (input, onProgress) => {
        onProgress('office-database', 'doing')
        const create = async () => {
          await make(input.office, input.domain, input.person)
          onProgress('office-database', 'done')
        }
        if (options.createOffice) return options.createOffice(create)
        await create()
        return { kind: 'made' }
      },
      checkDatabase: tryDatabase,
      join: desks.join,
    },
    stop: () => {
      if (bench) bench.isStopped = true
    },
  }
  const admin = await Admin.create(parts, (): Origin => origin)
  closers.push(() => admin.close())
  bench = new AdminBench({ admin, db, origin, clock, dataFolder, desks }, closers)
  if (options.stage === 'fresh') await admin.waitForSetup()
  else if (options.stage !== 'starting') {
    await make('ACME', 'acme.test', anna)
    await bench.open.parts.accounts.create(ben)
  }
  return bench
}

async function startTestChat(db: Database, domain: string, log: AdminParts['log']): Promise<Chat> {
  const admin = feature({
    name: 'admin',
    title: 'Administration',
    standards: [],
    migrations: adminMigrations,
    start: () => undefined,
  })
  return startChat({
    domain,
    node: 'front-desk',
    version: '0.0.0-test',
    log,
    db,
    features: [admin, ...(await loadFeatures())],
  })
}

async function officeOf(
  chat: Chat,
  options: {
    office: string
    domain: string
    now: () => number
    secrets: Map<string, string>
    desks: AdminDesks
    checks: readonly Check[]
  },
): Promise<OfficeParts> {
  const { office, domain, now, secrets, desks } = options
  const authority = await createAuthority(office)
  const leaf = await issue(authority, { name: domain, dnsNames: [domain], addresses: ['127.0.0.1'] })
  const tls = await openServerTls({ domain, source: { kind: 'office', load: async () => leaf } })
  const { db, accounts, sessions, settings, hooks, directory } = chat.parts
  return {
    name: office,
    domain,
    db,
    accounts,
    sessions,
    settings,
    hooks,
    directory,
    tls,
    iterations: () => 4096,
    certificates: { authority: authority.certificate, source: 'office' },
    recovery: createRecovery({
      office,
      domain,
      officeId: 'office-1',
      pc: 'front-desk',
      authority: () => authority.certificate,
      now,
      folder: {
        secret: name => secrets.get(name),
        randomSecret: async name => {
          if (!secrets.has(name)) secrets.set(name, Buffer.alloc(32, 7).toString('base64url'))
          return secrets.get(name) ?? ''
        },
        saveSecrets: async changes => {
          for (const [name, value] of Object.entries(changes)) if (value !== undefined) secrets.set(name, value)
        },
      },
    }),
    addresses: () => ['127.0.0.1'],
    ports: () => ({}),
    isDatabaseOutside: false,
    database: desks.database,
    backups: desks.backups,
    nodes: desks.nodes,
    updates: desks.updates,
    merge: desks.merge,
    checks: options.checks,
  }
}
