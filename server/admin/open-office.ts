/** What the admin side keeps of an open office, and how what happens in the chat reaches open pages. */
import type { Logger } from 'pino'
import { Activity } from './activity.ts'
import { BrowserSessions } from './browser-sessions.ts'
import { makerOf } from './certificate-checks.ts'
import { checksOf } from './checks.ts'
import { describeSession } from './connections.ts'
import type { BackupJob } from './contract/backups.ts'
import type { Connection } from './contract/connections.ts'
import type { DatabaseMove } from './contract/database.ts'
import type { Desktop } from './contract/desktop.ts'
import type { HistoryEntry } from './contract/logs.ts'
import { desktopOf } from './desktop.ts'
import type { Events, Streams } from './events.ts'
import { FarAdmin } from './far.ts'
import { FiguresReader } from './figures.ts'
import { aboutOf, Happenings } from './happenings.ts'
import { Health } from './health.ts'
import { History } from './history.ts'
import type { AdminParts, OfficeParts } from './parts.ts'
import { digestOf, PcWatch } from './pc-news.ts'
import { SignIn } from './sign-in.ts'
import { ScriptTokens } from './tokens.ts'

const SWEEP_EVERY_MS = 60_000
const FIGURES_MS = 1_000
const TELL_FIGURES_MS = 2_000
/** What the tray shows must be true within a second. */
const DESKTOP_MS = 500

/** The tables of the admin side, in the order they were added; for the migrations of the database. */
export const adminMigrations: readonly string[] = [
  ...BrowserSessions.migrations,
  ...ScriptTokens.migrations,
  ...History.migrations,
  ...Activity.migrations,
]

/** One open office. */
export class OpenOffice {
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
  /** The other PCs. */
  readonly far: FarAdmin
  readonly #pc: string
  readonly #version: string
  readonly #now: () => number
  readonly #log: Logger
  readonly #events: Events
  readonly #streams: Streams
  readonly #undo: (() => void)[] = []

  constructor(office: OfficeParts, admin: AdminParts, pages: { events: Events; streams: Streams }) {
    const { now, nextId, log, dataFolder } = admin
    const { db, accounts, hooks, domain, iterations } = office
    this.parts = office
    this.openedAt = now()
    this.#pc = admin.pc
    this.#version = admin.version
    this.#now = now
    this.#log = log
    this.#events = pages.events
    this.#streams = pages.streams
    this.browserSessions = new BrowserSessions({ db, accounts, log, now })
    this.scriptTokens = new ScriptTokens({ db, accounts, now, nextId })
    this.signIn = new SignIn({ accounts, domain, iterations, now })
    this.history = new History({ db, now, nextId })
    this.happenings = new Happenings({ now, nextId, onHappening: one => this.#events.tell('happened', one) })
    this.activity = new Activity({ db, hooks, log, now })
    this.far = new FarAdmin({
      bus: office.bus,
      directory: office.directory,
      now,
      maker: () => makerOf(office.tls.current.leaf),
      connections: () => this.connections(),
      endOne: async (jid, reason) => {
        const session = office.sessions.get(jid)
        if (session) await office.sessions.end(session, reason)
        return session !== undefined
      },
      endAll: async (username, reason) => {
        await Promise.all([...office.sessions.of(username)].map(session => office.sessions.end(session, reason)))
      },
      onDeed: entry => this.#farDeed(entry),
    })
    const checks = checksOf(office, { dataFolder, now, far: this.far })
    this.health = new Health({ checks, log, now, sentence: () => office.nodes.sentence })
    this.figures = new FiguresReader({ office, activity: this.activity, far: this.far, dataFolder, now })
    this.#watch()
    this.#every(FIGURES_MS, this.#figuresTeller())
    this.#every(TELL_FIGURES_MS, async () => this.far.tellFigures(this.figures.own))
    this.#every(DESKTOP_MS, this.#desktopTeller())
    this.#every(SWEEP_EVERY_MS, () => this.#sweep())
  }

  /** The devices that are connected to this PC. */
  connections(): Connection[] {
    return [...this.parts.sessions.all()].map(session => describeSession(session, this.#pc, this.#now()))
  }

  /** Why nobody can sign in on this PC now, as a sentence; undefined when people can. */
  notReady(): string | undefined {
    const { notReady, db } = this.parts
    if (notReady) return notReady()
    return db.state === 'up' ? undefined : 'The database is away.'
  }

  /** What the tray of this PC shows at this moment. */
  get desktop(): Desktop {
    return desktopOf(this, { version: this.#version, now: this.#now() })
  }

  /** Stops watching, and saves who is connected as seen now. */
  async close(): Promise<void> {
    for (const undo of this.#undo.splice(0)) undo()
    this.health.close()
    this.far.close()
    for (const { username } of this.parts.sessions.all()) this.activity.see(username)
    await this.activity.close()
  }

  /** Turns what happens in the chat into events for pages. */
  #watch(): void {
    const { db, hooks, database, backups, nodes, updates } = this.parts
    const stirBoth = (): void => {
      this.#events.stir('people')
      this.#events.stir('connections')
    }
    this.browserSessions.onEnded = key => this.#streams.endOf(key)
    this.scriptTokens.onRecheck = () => this.#streams.endOfTokens()
    this.activity.onCome = stirBoth
    this.history.onDeed = entry => {
      if (entry.kind === 'sign-in') return
      this.happenings.add('ok', entry.sentence, aboutOf(entry.kind))
      this.far.tellDeed(entry)
    }
    this.health.onChange = summary => this.#events.tell('state', summary)
    this.#undo.push(
      hooks.on('session:available', 'watch', stirBoth),
      hooks.on('session:unavailable', 'watch', stirBoth),
      hooks.on('account:created', 'watch', () => this.#peopleChanged()),
      hooks.on('account:removed', 'watch', () => this.#peopleChanged()),
      db.onState((state, sentence) => {
        this.happenings.add(state === 'up' ? 'ok' : 'bad', sentence)
        this.#events.tell('database', {})
        void this.health.check()
      }),
      db.onMove(({ sentence }) => {
        this.happenings.add('warn', sentence)
        this.#events.tell('database', {})
        void this.health.check()
      }),
      database.onMove(move => this.#moveWent(move)),
      backups.onJob(job => this.#jobWent(job)),
      nodes.onChange(this.#nodesTeller()),
      updates.onChange(this.#updatesTeller()),
    )
  }

  /** A move of the data went on; its end is told on Home too. */
  #moveWent(move: DatabaseMove): void {
    this.#events.tell('move', move)
    if (move.state !== 'switched' && move.state !== 'stopped') return
    this.happenings.add(move.state === 'switched' ? 'ok' : 'warn', [move.sentence, move.problem].join(' ').trim())
    this.#events.tell('database', {})
    void this.health.check()
  }

  #jobWent(job: BackupJob): void {
    this.#events.tell('backup', job)
    if (job.state === 'running') return
    this.happenings.add(job.state === 'done' ? 'ok' : 'bad', job.sentence)
    void this.health.check()
  }

  /** Pages about PCs ask again; what happened among them is told, and checked, when it matters. */
  #nodesTeller(): () => void {
    const { nodes } = this.parts
    const watch = new PcWatch(this.#now)
    watch.look(nodes.nodes)
    let digest = digestOf(nodes.nodes)
    let waiting = ''
    return () => {
      this.#events.stir('nodes')
      const { requests } = nodes
      const asking = requests.map(request => request.id).join()
      if (asking !== waiting) this.#events.tell('join-request', { requests: [...requests] })
      for (const { name } of requests.filter(request => !waiting.split(',').includes(request.id)))
        this.happenings.add('ok', `${name} asks to join.`, 'pcs')
      waiting = asking
      const now = digestOf(nodes.nodes)
      if (now === digest) return
      digest = now
      for (const { state, sentence } of watch.look(nodes.nodes)) this.happenings.add(state, sentence, 'pcs')
      this.#events.stir('connections')
      void this.health.recheck()
    }
  }

  /** The page about updates asks again; Health is looked at when it has something else to say of them. */
  #updatesTeller(): () => void {
    const { updates } = this.parts
    let told = ''
    return () => {
      this.#events.stir('updates')
      const now = JSON.stringify(updates.health ?? {})
      if (now === told) return
      told = now
      void this.health.recheck()
    }
  }

  /** What was done on another PC stands here too, and lists that it changed are asked for again. */
  #farDeed({ kind, sentence, by }: HistoryEntry): void {
    this.happenings.add('ok', sentence, aboutOf(kind))
    if (kind === 'person') this.#peopleChanged()
    if (kind === 'setting') this.#events.tell('setting', { key: '', by })
  }

  #peopleChanged(): void {
    this.figures.forgetPeople()
    this.#events.stir('people')
  }

  /** While somebody looks: the figures, if one has changed. */
  #figuresTeller(): () => Promise<void> {
    let told = ''
    return async () => {
      if (!this.#events.hasFollowers) return
      const now = await this.figures.read()
      if (JSON.stringify(now) !== told) this.#events.tell('figures', now)
      told = JSON.stringify(now)
    }
  }

  /** While somebody follows: says when the tray would show another thing. */
  #desktopTeller(): () => Promise<void> {
    let told = ''
    return async () => {
      // Nothing is remembered while nobody follows: who comes then is told once, whatever it has read already.
      const now = this.#events.hasFollowers ? JSON.stringify(this.desktop) : ''
      if (now !== told && now !== '') this.#events.tell('desktop', {})
      told = now
    }
  }

  /** What is over ends, also for pages that only listen. */
  async #sweep(): Promise<void> {
    if (this.parts.db.state === 'away') return
    await this.browserSessions.sweep()
    for (const key of this.#streams.sessionKeys()) {
      if (!this.browserSessions.isOpen(key)) this.#streams.endOf(key)
    }
  }

  /** Runs a task again and again, one run at a time; failures are logged. */
  #every(milliseconds: number, task: () => Promise<void>): void {
    let isRunning = false
    const timer = setInterval(async () => {
      if (isRunning) return
      isRunning = true
      try {
        await task()
      } catch (error) {
        this.#log.warn({ err: error }, 'a periodic task of the admin pages failed')
      } finally {
        isRunning = false
      }
    }, milliseconds)
    timer.unref()
    this.#undo.push(() => clearInterval(timer))
  }
}
