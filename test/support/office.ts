/** A chat server in this process, with real sockets and a real database, for tests of protocol and streams. */
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import pino from 'pino'
import { type Chat, type ClusterParts, startChat } from '../../server/chat.ts'
import { coreFeatures } from '../../server/core/core-features.ts'
import type { Feature } from '../../server/core/feature.ts'
import type { Database } from '../../server/db/pool.ts'
import { createAuthority, issue } from '../../server/net/ca.ts'
import { openServerTls } from '../../server/net/tls.ts'
import { c2sFeature, managementFeature } from '../../server/stream/settings.ts'
import { Streams } from '../../server/stream/streams.ts'
import { type Listener, listenTcp } from '../../server/stream/tcp.ts'
import { acceptWebSocket } from '../../server/stream/websocket.ts'
import { RawClient, type RawLogin, type RawTarget } from './raw.ts'

export interface OfficeOptions {
  /** Features besides those of core and streams. */
  readonly features?: readonly Feature[]
  /** Values by key ('c2s.loginDeadlineSeconds'), set before anything connects. */
  readonly settings?: Record<string, unknown>
  /** Usernames; each one's password is `<username>-password`. */
  readonly people?: readonly string[]
  /** Closed with the office; a fresh one if absent. */
  readonly db?: Database
  /** The name of this node, and how it meets the others. */
  readonly node?: string
  readonly cluster?: ClusterParts
}

const log = pino({ level: 'silent' })

export type Over = RawTarget['over'] | 'plain'

const domain = 'office.test'

/** One node of an office, without main.ts. `clock.ahead` moves the time that streams see. */
export class Office implements AsyncDisposable {
  readonly domain = domain
  readonly chat: Chat
  readonly streams: Streams
  readonly clock: { ahead: number }
  readonly ports: Record<Over, number>
  readonly ca: string
  readonly #close: () => Promise<void>

  private constructor(
    options: Pick<Office, 'chat' | 'streams' | 'clock' | 'ports' | 'ca'> & { close(): Promise<void> },
  ) {
    this.chat = options.chat
    this.streams = options.streams
    this.clock = options.clock
    this.ports = options.ports
    this.ca = options.ca
    this.#close = options.close
  }

  static async start(options: OfficeOptions = {}): Promise<Office> {
    // Only then: a node in a process of its own has no test runner, which that file needs.
    const db = options.db ?? (await (await import('./database.ts')).openDatabase())
    const features = [...coreFeatures, c2sFeature, managementFeature, ...(options.features ?? [])] as Feature[]
    const { node = 'pc-1', cluster } = options
    const chat = await startChat({ domain, node, version: '0', log, db, features, cluster })
    await furnish(chat, options)
    const clock = { ahead: 0 }
    const streams = new Streams({ parts: { ...chat.parts, now: () => Date.now() + clock.ahead } })
    const authority = await createAuthority('Test office')
    const tls = await openServerTls({
      source: {
        kind: 'office',
        load: () => issue(authority, { name: domain, dnsNames: [domain], addresses: ['127.0.0.1'] }),
      },
      domain,
    })
    const host = '127.0.0.1'
    const tcp = await listenTcp({ streams, tls, host, port: 0, mode: 'starttls' })
    const direct = await listenTcp({ streams, tls, host, port: 0, mode: 'tls' })
    const plain = await listenTcp({ streams, tls, host, port: 0, mode: 'starttls', allowPlaintext: true })
    const web = https.createServer(tls.serverOptions({ alpn: ['http/1.1'] })).listen(0, host)
    const webPlain = http.createServer().listen(0, host)
    const sockets = [acceptWebSocket({ streams, server: web, tls }), acceptWebSocket({ streams, server: webPlain })]
    const ports = {
      tcp: tcp.port,
      tls: direct.port,
      plain: plain.port,
      ws: await portOf(webPlain),
      wss: await portOf(web),
    }
    const close = () => stop({ db, chat, streams, listeners: [tcp, direct, plain], web: [web, webPlain], sockets })
    return new Office({ chat, streams, clock, ports, ca: authority.certificate, close })
  }

  target(over: Over = 'tcp'): RawTarget {
    return { domain, port: this.ports[over], over: over === 'plain' ? 'tcp' : over, ca: this.ca }
  }

  /** A connection on which nothing was said yet. */
  connect(over?: Over): Promise<RawClient> {
    return RawClient.connect(this.target(over))
  }

  /** What the person of this name logs in with. */
  login(username: string, options: Partial<RawLogin> = {}): RawLogin {
    return { username, password: `${username}-password`, ...options }
  }

  /** A person with a bound resource. */
  client(username: string, options: Partial<RawLogin> & { over?: Over } = {}): Promise<RawClient> {
    const { over, ...login } = options
    return RawClient.logIn(this.target(over), this.login(username, login))
  }

  /** Lets time pass for the streams, and their sweep run. */
  pass(milliseconds: number): void {
    this.clock.ahead += milliseconds
    this.streams.sweep()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close()
  }
}

async function furnish(chat: Chat, { settings = {}, people = ['romeo', 'juliet'] }: OfficeOptions): Promise<void> {
  for (const [key, value] of Object.entries({ 'passwords.iterations': 4096, ...settings })) {
    await chat.parts.settings.set(key, value, 'test')
  }
  for (const username of people) await chat.parts.accounts.create({ username, password: `${username}-password` })
}

async function stop(parts: {
  db: Database
  chat: Chat
  streams: Streams
  listeners: Listener[]
  web: (http.Server | https.Server)[]
  sockets: { close(): void }[]
}): Promise<void> {
  for (const listener of parts.listeners) await listener.close()
  for (const socket of parts.sockets) socket.close()
  await parts.streams.close()
  for (const server of parts.web) {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  }
  await parts.chat.close()
  await parts.db.close()
}

async function portOf(server: http.Server | https.Server): Promise<number> {
  if (!server.listening) await new Promise(resolve => server.once('listening', resolve))
  return (server.address() as AddressInfo).port
}
