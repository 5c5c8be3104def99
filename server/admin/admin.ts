/** The admin side of one appliance: both ports, from the first second on, with or without an office. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Registry } from 'prom-client'
import { listenFault } from '../opening.ts'
import type { Origin } from './caller.ts'
import { endpoints } from './contract/all.ts'
import { Events, Streams } from './events.ts'
import { Gate } from './gate.ts'
import { createApp, type Door, openDoor } from './http.ts'
import { LogLines } from './log-lines.ts'
import { createMetrics, measureOffice } from './metrics.ts'
import { OpenOffice } from './open-office.ts'
import { openApi } from './openapi.ts'
import { servePages } from './pages.ts'
import type { AdminParts, OfficeParts, OnProgress } from './parts.ts'
import { serveProbes } from './probes.ts'
import { refusal } from './problem.ts'
import { allRoutes } from './routes/all.ts'
import { Desk } from './serve.ts'
import { ownAddresses, Setup } from './setup.ts'
import { makeSetupTls } from './setup-tls.ts'
import { LinkTokens, RunToken } from './tokens.ts'

const LINK_MS = 60_000
/** Before there is an office somebody may have to walk to the screen first. */
const SETUP_LINK_MS = 30 * 60_000

/** What every route can use. */
export interface RouteParts {
  readonly parts: AdminParts
  readonly gate: Gate
  readonly setup: Setup
  readonly events: Events
  readonly streams: Streams
  readonly logLines: LogLines
  readonly links: LinkTokens
  /** The address of the admin pages on this PC. */
  url(): string
  /** @throws Refusal while there is no office */
  office(): OpenOffice
}

/** Starts the admin side; the ports are open when it resolves. @throws ListenFault */
export async function startAdmin(parts: AdminParts): Promise<Admin> {
  const admin = await Admin.create(parts)
  await admin.listen()
  return admin
}

/** The running admin side. */
export class Admin {
  /** Behind both ports; `inject` reaches it without a socket. */
  readonly app: FastifyInstance
  readonly #parts: AdminParts
  readonly #setup: Setup
  readonly #gate: Gate
  readonly #runToken: RunToken
  readonly #links: LinkTokens
  readonly #events: Events
  readonly #streams: Streams
  readonly #logLines: LogLines
  readonly #metrics: Registry
  #plain: Door | undefined
  #secure: Door | undefined
  #office: OpenOffice | undefined
  /** Why there is no office just now, while it is closed for a moment. */
  #pause: string | undefined
  /** What the routes work with. */
  readonly inside: RouteParts

  /** Makes the app; `listen` opens the ports. `originOf` lets tests come from elsewhere. */
  static async create(parts: AdminParts, originOf?: (request: FastifyRequest) => Origin): Promise<Admin> {
    const runToken = new RunToken()
    const setup = new Setup(parts.setup, parts.now)
    const gate = new Gate({ pc: parts.pc, now: parts.now, stage: () => setup.stage, runToken, originOf })
    let admin: Admin | undefined
    const app = await createApp({ gate, log: parts.log, securePort: () => admin?.ports.admin })
    admin = new Admin(parts, { app, gate, setup, runToken })
    await admin.#serve()
    return admin
  }

  /** For `create` only. */
  constructor(parts: AdminParts, made: { app: FastifyInstance; gate: Gate; setup: Setup; runToken: RunToken }) {
    this.app = made.app
    this.#parts = parts
    this.#gate = made.gate
    this.#setup = made.setup
    this.#runToken = made.runToken
    this.#links = new LinkTokens(parts.now)
    this.#events = new Events()
    this.#streams = new Streams()
    this.#logLines = new LogLines(parts.recent, parts.pc)
    this.#metrics = createMetrics(parts.version)
    this.inside = {
      parts,
      gate: this.#gate,
      setup: this.#setup,
      events: this.#events,
      streams: this.#streams,
      logLines: this.#logLines,
      links: this.#links,
      url: () => this.url,
      office: () => {
        if (this.#pause !== undefined) throw refusal('not-ready', this.#pause)
        if (!this.#office) throw refusal('not-set-up', 'There is no office here yet: make one first.')
        return this.#office
      },
    }
  }

  /** Opens the port for this PC itself; HTTPS follows once there is a certificate. @throws ListenFault */
  async listen(): Promise<void> {
    const { host, adminPlain } = this.#parts.listen
    if (adminPlain !== undefined) this.#plain = await this.#openDoor('adminPlain', { host, port: adminPlain })
  }

  /** The ports that are open. */
  get ports(): { admin: number | undefined; adminPlain: number | undefined } {
    return { admin: this.#secure?.port, adminPlain: this.#plain?.port }
  }

  /** The pages on this very PC: without TLS over loopback, so that no browser warns of anything. */
  get url(): string {
    const { host } = this.#parts.listen
    const local = host === '::' || host === '0.0.0.0' || host === 'localhost' ? '127.0.0.1' : host
    const shown = local.includes(':') ? `[${local}]` : local
    if (this.#plain) return `http://${shown}:${this.#plain.port}/`
    return `https://${shown}:${this.#secure?.port}/`
  }

  /** The bearer token for run.json; good over loopback while this process runs. */
  get runToken(): string {
    return this.#runToken.secret
  }

  /** An address that opens the pages once, signed in as the first administrator, or at set-up. */
  makeLink(): string {
    return this.#linkAt(this.url)
  }

  /** The same for a browser on another PC; undefined when others do not reach this one. */
  makeLinkElsewhere(): string | undefined {
    const { host } = this.#parts.listen
    const address = host === '::' || host === '0.0.0.0' ? ownAddresses()[0] : host
    if (!this.#secure || !address || /^(127\.|::1$|localhost$)/.test(address)) return undefined
    return this.#linkAt(`https://${address.includes(':') ? `[${address}]` : address}:${this.#secure.port}/`)
  }

  #linkAt(url: string): string {
    const lifeMs = this.#setup.stage === 'ready' ? LINK_MS : SETUP_LINK_MS
    return `${url}#token=${this.#links.make(lifeMs).token}`
  }

  /** Ticks of the start. */
  get progress(): OnProgress {
    return this.#setup.progress
  }

  /** There is no office here yet: the wizard may make one, from another PC by a link over HTTPS. @throws ListenFault */
  async waitForSetup(): Promise<void> {
    await this.#listenSecure(await makeSetupTls())
    this.#setup.becomeFresh()
  }

  /**
   * The office is closed for a moment and opened again; until then pages are told to wait.
   * @param sentence why
   */
  async pause(sentence: string): Promise<void> {
    this.#pause = sentence
    this.#events.tell('desktop', {})
    await this.#office?.close()
  }

  /** The office is open: everything answers from now on. @throws DatabaseAway, ListenFault */
  async open(parts: OfficeParts): Promise<void> {
    const office = new OpenOffice(parts, this.#parts, { events: this.#events, streams: this.#streams })
    this.#office = office
    this.#gate.doormen = office
    measureOffice(this.#metrics, parts, office)
    await office.happenings.fill(office.history)
    office.happenings.add('ok', `Chat was started on ${this.#parts.pc}.`)
    await this.#listenSecure(parts.tls)
    this.#pause = undefined
    this.#setup.becomeReady()
    this.#events.tell('desktop', {})
    void office.health.check()
  }

  /** Ends streams, closes the ports, saves what is not saved yet. */
  async close(): Promise<void> {
    this.#events.close()
    this.#streams.close()
    this.#logLines.close()
    await Promise.all([this.#plain?.close(), this.#secure?.close()])
    await this.app.close()
    await this.#office?.close()
  }

  async #serve(): Promise<void> {
    const { app } = this
    const desk = new Desk(app, this.#gate)
    for (const routes of allRoutes) routes(desk, this.inside)
    serveProbes(app, {
      gate: this.#gate,
      setup: this.#setup,
      metrics: this.#metrics,
      notReady: () => this.#office?.notReady(),
    })
    const document = JSON.stringify(openApi(endpoints, this.#parts.version))
    app.get('/api/openapi.json', (_request, reply) => reply.type('application/json; charset=utf-8').send(document))
    await servePages(app, this.#parts.uiFolder)
    await app.ready()
  }

  /** Opens HTTPS, or lets it show another certificate. */
  async #listenSecure(tls: OfficeParts['tls']): Promise<void> {
    const { host, admin } = this.#parts.listen
    if (admin === undefined) return
    if (this.#secure) this.#secure.show(tls)
    else this.#secure = await this.#openDoor('admin', { host, port: admin, tls })
  }

  async #openDoor(name: string, where: Parameters<typeof openDoor>[1]): Promise<Door> {
    try {
      return await openDoor(this.app, where)
    } catch (error) {
      throw listenFault(error, name, where.port, where.host)
    }
  }
}
