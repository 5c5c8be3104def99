/** The admin side of one appliance: both ports, from the first second on, with or without an office. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Registry } from 'prom-client'
import { listenFault } from '../opening.ts'
import { Activity } from './activity.ts'
import { BrowserSessions } from './browser-sessions.ts'
import type { Origin } from './caller.ts'
import { checksOf } from './checks.ts'
import { endpoints } from './contract/all.ts'
import { Events, Streams } from './events.ts'
import { FiguresReader } from './figures.ts'
import { Gate } from './gate.ts'
import { Happenings } from './happenings.ts'
import { Health } from './health.ts'
import { History } from './history.ts'
import { createApp, type Door, openDoor } from './http.ts'
import { LogLines } from './log-lines.ts'
import { createMetrics, measureOffice } from './metrics.ts'
import { openApi } from './openapi.ts'
import { servePages } from './pages.ts'
import type { AdminParts, OfficeParts, OnProgress } from './parts.ts'
import { serveProbes } from './probes.ts'
import { refusal } from './problem.ts'
import { allRoutes } from './routes/all.ts'
import { Desk } from './serve.ts'
import { Setup } from './setup.ts'
import { SignIn } from './sign-in.ts'
import { LinkTokens, RunToken, ScriptTokens } from './tokens.ts'

const SWEEP_EVERY_MS = 60_000
const FIGURES_MS = 1_000
const LINK_MS = 60_000
/** Before there is an office somebody may have to walk to the screen first. */
const SETUP_LINK_MS = 30 * 60_000

/** The tables of the admin side, in the order they were added; for the migrations of the database. */
export const adminMigrations: readonly string[] = [
  ...BrowserSessions.migrations,
  ...ScriptTokens.migrations,
  ...History.migrations,
  ...Activity.migrations,
]

/** What an open office adds. */
export interface OpenOffice {
  readonly parts: OfficeParts
  readonly openedAt: number
  readonly browserSessions: BrowserSessions
  readonly scriptTokens: ScriptTokens
  readonly signIn: SignIn
  readonly history: History
  readonly happenings: Happenings
  readonly activity: Activity
  readonly health: Health
  readonly figures: FiguresReader
}

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
  readonly #timer: NodeJS.Timeout
  #plain: Door | undefined
  #secure: Door | undefined
  #office: OpenOffice | undefined
  #undo: (() => void)[] = []
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
        if (!this.#office) throw refusal('not-set-up', 'There is no office here yet: make one first.')
        return this.#office
      },
    }
    this.#timer = setInterval(() => void this.#sweep(), SWEEP_EVERY_MS)
    this.#timer.unref()
  }

  /** Opens the ports; HTTPS only once there is a certificate. @throws ListenFault */
  async listen(): Promise<void> {
    const { host, adminPlain } = this.#parts.listen
    if (adminPlain !== undefined) this.#plain = await this.#openDoor('adminPlain', { host, port: adminPlain })
    await this.#listenSecure(this.#parts.tls)
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
    const lifeMs = this.#setup.stage === 'ready' ? LINK_MS : SETUP_LINK_MS
    return `${this.url}#token=${this.#links.make({ username: undefined, lifeMs }).token}`
  }

  /** Ticks of the start. */
  get progress(): OnProgress {
    return this.#setup.progress
  }

  /** There is no office here yet: the wizard may make one. */
  waitForSetup(): void {
    this.#setup.becomeFresh()
  }

  /** The office is open: everything answers from now on. @throws DatabaseAway, ListenFault */
  async open(office: OfficeParts): Promise<void> {
    const { now, nextId, log, pc } = this.#parts
    const { db, accounts, hooks } = office
    const browserSessions = new BrowserSessions({ db, accounts, log, now })
    const scriptTokens = new ScriptTokens({ db, accounts, now, nextId })
    const history = new History({ db, now, nextId })
    const activity = new Activity({ db, hooks, log, now })
    const health = new Health({ checks: checksOf(office, { dataFolder: this.#parts.dataFolder, now }), log, now })
    const happenings = new Happenings({ now, nextId, onHappening: one => this.#events.tell('happened', one) })
    const signIn = new SignIn({ accounts, domain: office.domain, iterations: office.iterations, now })
    const figures = new FiguresReader({ office, activity, dataFolder: this.#parts.dataFolder, now })
    const keepers = { browserSessions, scriptTokens, signIn, history, happenings, activity, health, figures }
    this.#office = { parts: office, openedAt: now(), ...keepers }
    this.#gate.doormen = { browserSessions, scriptTokens }
    browserSessions.onEnded = key => this.#streams.endSession(key)
    this.#watch(this.#office)
    this.#tellFigures(figures)
    measureOffice(this.#metrics, office, { activity, health })
    await happenings.fill(history)
    happenings.add('ok', `Chat was started on ${pc}.`)
    await this.#listenSecure(office.tls)
    this.#setup.becomeReady()
    void health.check()
  }

  /** Ends streams, closes the ports, saves what is not saved yet. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    for (const undo of this.#undo) undo()
    this.#events.close()
    this.#streams.close()
    this.#logLines.close()
    this.#office?.health.close()
    await Promise.all([this.#plain?.close(), this.#secure?.close()])
    await this.app.close()
    await this.#office?.activity.close()
  }

  async #serve(): Promise<void> {
    const { app } = this
    const desk = new Desk(app, this.#gate)
    for (const routes of allRoutes) routes(desk, this.inside)
    serveProbes(app, {
      gate: this.#gate,
      setup: this.#setup,
      metrics: this.#metrics,
      health: () => this.#office?.health,
    })
    const document = JSON.stringify(openApi(endpoints, this.#parts.version))
    app.get('/api/openapi.json', (_request, reply) => reply.type('application/json; charset=utf-8').send(document))
    await servePages(app, this.#parts.uiFolder)
    await app.ready()
  }

  async #listenSecure(tls: OfficeParts['tls'] | undefined): Promise<void> {
    const { host, admin } = this.#parts.listen
    if (!tls || admin === undefined || this.#secure) return
    this.#secure = await this.#openDoor('admin', { host, port: admin, tls })
  }

  async #openDoor(name: string, where: Parameters<typeof openDoor>[1]): Promise<Door> {
    try {
      return await openDoor(this.app, where)
    } catch (error) {
      throw listenFault(error, name, where.port, where.host)
    }
  }

  /** Turns what happens in the chat into events for pages. */
  #watch({ parts, health, history, happenings, activity }: OpenOffice): void {
    const { db, hooks } = parts
    const stirBoth = (): void => {
      this.#events.stir('people')
      this.#events.stir('connections')
    }
    activity.onCome = stirBoth
    history.onDeed = entry => {
      if (entry.kind !== 'sign-in') happenings.add('ok', entry.sentence)
    }
    health.onChange = summary => this.#events.tell('state', summary)
    this.#undo.push(
      hooks.on('session:available', 'watch', stirBoth),
      hooks.on('session:unavailable', 'watch', stirBoth),
      hooks.on('account:created', 'watch', () => this.#events.stir('people')),
      hooks.on('account:removed', 'watch', () => this.#events.stir('people')),
      db.onState((state, sentence) => {
        happenings.add(state === 'up' ? 'ok' : 'bad', sentence)
        void health.check()
      }),
    )
  }

  /** Once a second, while somebody looks: the figures, if one has changed. */
  #tellFigures(figures: FiguresReader): void {
    let told = ''
    let isReading = false
    const timer = setInterval(async () => {
      if (!this.#events.hasFollowers || isReading) return
      isReading = true
      try {
        const now = await figures.read()
        if (JSON.stringify(now) !== told) this.#events.tell('figures', now)
        told = JSON.stringify(now)
      } catch (error) {
        this.#parts.log.warn({ err: error }, 'figures could not be read')
      } finally {
        isReading = false
      }
    }, FIGURES_MS)
    timer.unref()
    this.#undo.push(() => clearInterval(timer))
  }

  /** Every minute: what is over ends, also for pages that only listen. */
  async #sweep(): Promise<void> {
    const office = this.#office
    if (!office || office.parts.db.state === 'away') return
    try {
      await office.browserSessions.sweep()
      for (const key of this.#streams.sessionKeys()) {
        if (!office.browserSessions.isOpen(key)) this.#streams.endSession(key)
      }
    } catch (error) {
      this.#parts.log.warn({ err: error }, 'sign-ins that are over could not be removed')
    }
  }
}
