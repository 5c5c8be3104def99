import type { Logger } from 'pino'
import type { TObject } from 'typebox'
import type { Bus } from '../cluster/bus.ts'
import type { Directory } from '../cluster/directory.ts'
import { type Database, DatabaseAway } from '../db/pool.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import type { Accounts } from './accounts.ts'
import type { Advertisement, AdvertisementTable } from './advertise.ts'
import type { CacheHints } from './cache-hints.ts'
import type { Everywhere } from './everywhere.ts'
import type { Feature } from './feature.ts'
import type { Handler, Hooks, HookTable, Order } from './hooks.ts'
import type { IqHandler, IqTable, IqTarget } from './iq.ts'
import { PATIENCE_MS } from './patience.ts'
import { PerAccount } from './per-account.ts'
import type { ArchiveQueue } from './queue.ts'
import type { Reach } from './reach.ts'
import type { Rosters } from './roster.ts'
import type { Router } from './router.ts'
import type { Session } from './session.ts'
import type { Sessions } from './sessions.ts'
import type { Settings } from './settings.ts'
import type { Subscriptions } from './subscriptions.ts'

/** A top-level element that is not a stanza (XEP-0352 `<inactive/>`, …), sent by a client with a bound resource. */
export type NonzaHandler = (session: Session, element: Stanza) => void | Promise<void>

/** The parts every feature of one appliance shares. Built once, in main.ts. */
export interface ServerParts {
  readonly domain: string
  /** The name of this node ('front-desk'). */
  readonly node: string
  readonly version: string
  readonly log: Logger
  readonly db: Database
  /** Milliseconds since the epoch. */
  now(): number
  /** A UUIDv7, later than every one before. */
  nextId(): string
  /** An unguessable token of 128 bits. */
  randomId(): string
  readonly hooks: HookTable
  readonly iqs: IqTable
  readonly nonzas: Map<string, NonzaHandler>
  readonly advertisements: AdvertisementTable
  /** Stream features offered after login: each prints itself as XML, at the moment it is offered. */
  readonly streamFeatures: Set<{ toString(): string }>
  readonly sessions: Sessions
  readonly directory: Directory
  readonly bus: Bus
  /** Sessions on whatever node. */
  readonly reach: Reach
  /** Ends sessions on whatever node. */
  readonly everywhere: Everywhere
  /** What other nodes are told of what they remember. */
  readonly hints: CacheHints
  readonly accounts: Accounts
  readonly rosters: Rosters
  readonly queue: ArchiveQueue
  readonly router: Router
  readonly subscriptions: Subscriptions
  readonly settings: Settings
}

/** What a feature is given. Everything it registers goes away when it is stopped. */
export interface Server<S = Record<string, unknown>>
  extends Omit<ServerParts, 'hooks' | 'iqs' | 'nonzas' | 'advertisements' | 'streamFeatures' | 'settings'> {
  /** Its own settings, always current. */
  readonly settings: Readonly<S>
  /** Listens to a hook. */
  on<K extends keyof Hooks>(name: K, order: Order, handler: Handler<Hooks[K]>): void
  /** Runs a hook of this feature's own making; false when a handler stopped it. */
  run<K extends keyof Hooks>(name: K, event: Hooks[K]): boolean | Promise<boolean>
  /** Answers IQs of one payload; `target` is whom it is asked of. */
  iq(target: IqTarget | 'both', type: 'get' | 'set', ns: string, name: string, handler: IqHandler): void
  /** Takes top-level elements that are not stanzas, after login. */
  nonza(ns: string, name: string, handler: NonzaHandler): void
  /** Says in service discovery (XEP-0030) what the server or its accounts can do. */
  advertise(target: IqTarget | 'both', advertisement: Advertisement): void
  /** All that is advertised for a target. */
  advertised(target: IqTarget): Advertisement
  /** Offers a stream feature after login. */
  streamFeature(xml: { toString(): string }): void
  /** Memory per account, loaded at login at the latest (see PerAccount). */
  perAccount<T>(load: (username: string) => Promise<T>): PerAccount<T>
  /** Runs a task again and again until the feature stops; one run at a time, failures are logged. */
  every(milliseconds: number, task: () => void | Promise<void>): void
  /** Sends a stanza that has `from` and `to`, as if it came from its `from`: to an account, a session, a service. */
  route(stanza: Stanza): void
  /** Called when its own settings have changed; may throw an Error whose message refuses them, before the commit. */
  onSettings(listener: { verify?(next: Readonly<S>): void; apply?(next: Readonly<S>): void }): void
}

/**
 * Gives one feature its view of the server.
 * @returns the view and a function that takes back all it registered
 */
export function scopeFor<S extends TObject>(
  parts: ServerParts,
  feature: Feature<S>,
): { server: Server; release: () => void } {
  const undo: (() => void)[] = []
  const targets = (target: IqTarget | 'both'): IqTarget[] => (target === 'both' ? ['account', 'host'] : [target])
  const log = parts.log.child({ feature: feature.name })
  let caches = 0
  const { hooks, iqs, nonzas, advertisements, streamFeatures, settings, ...shared } = parts
  const server: Server = {
    ...shared,
    log,
    settings: settings.of(feature.name),
    on: (name, order, handler) => {
      undo.push(hooks.on(name, order, handler))
    },
    run: (name, event) => hooks.run(name, event),
    iq: (target, type, ns, name, handler) => {
      for (const one of targets(target)) undo.push(iqs.add(one, type, ns, name, handler))
    },
    nonza: (ns, name, handler) => {
      const key = `${name} ${ns}`
      if (nonzas.has(key)) throw new Error(`Two features take the element ${name} of ${ns}.`)
      nonzas.set(key, handler)
      undo.push(() => nonzas.delete(key))
    },
    advertise: (target, advertisement) => {
      for (const one of targets(target)) undo.push(advertisements.add(one, advertisement))
    },
    advertised: target => advertisements.of(target),
    streamFeature: xml => {
      streamFeatures.add(xml)
      undo.push(() => streamFeatures.delete(xml))
    },
    perAccount: load => {
      const name = `${feature.name} ${caches++}`
      const values = new PerAccount({
        load: username => parts.hints.orElsewhere(name, username, load(username)),
        isPinned: username => parts.sessions.has(username),
        patienceMs: PATIENCE_MS,
        tell: username => parts.hints.tell(name, username),
      })
      undo.push(parts.hints.add(name, values))
      undo.push(
        hooks.on('account:removed', 'watch', async ({ username }) => {
          values.drop(username)
          await parts.hints.tell(name, username)
        }),
      )
      undo.push(parts.db.onMove(({ isNewTimeline }) => isNewTimeline && values.doubtAll()))
      undo.push(
        hooks.on('session:bound', 'store', async ({ session }) => {
          await values.load(session.username)
        }),
      )
      return values
    },
    every: (milliseconds, task) => {
      let isRunning = false
      const timer = setInterval(async () => {
        if (isRunning) return
        isRunning = true
        try {
          await task()
        } catch (error) {
          // That it is away is told by whoever watches it, not every second by everybody who waits for it.
          if (error instanceof DatabaseAway) log.debug({ err: error }, 'periodic task waits for the database')
          else log.error({ err: error }, 'periodic task failed')
        } finally {
          isRunning = false
        }
      }, milliseconds)
      timer.unref()
      undo.push(() => clearInterval(timer))
    },
    route: stanza => parts.router.route(stanza),
    onSettings: listener => {
      undo.push(settings.subscribe(feature.name, listener))
    },
  }
  return {
    server,
    release: () => {
      for (const one of undo.reverse()) one()
    },
  }
}
