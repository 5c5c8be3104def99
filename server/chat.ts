import { randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import type { Logger } from 'pino'
import { type Bus, localBus } from './cluster/bus.ts'
import { type Directory, localDirectory } from './cluster/directory.ts'
import { Accounts } from './core/accounts.ts'
import { AdvertisementTable } from './core/advertise.ts'
import { CacheHints } from './core/cache-hints.ts'
import { coreFeatures, type PasswordSettings, type SessionSettings } from './core/core-features.ts'
import { Everywhere } from './core/everywhere.ts'
import { FarArrivals } from './core/far-arrivals.ts'
import { type Feature, type Standard, startOrder } from './core/feature.ts'
import { HookTable } from './core/hooks.ts'
import { IqTable } from './core/iq.ts'
import { Messages } from './core/message.ts'
import { meetOthers } from './core/other-nodes.ts'
import { Presence } from './core/presence.ts'
import { ArchiveQueue } from './core/queue.ts'
import { Reach } from './core/reach.ts'
import { Rosters } from './core/roster.ts'
import { Router } from './core/router.ts'
import { type ServerParts, scopeFor } from './core/server.ts'
import { Sessions } from './core/sessions.ts'
import { Settings } from './core/settings.ts'
import { Subscriptions } from './core/subscriptions.ts'
import { type MigrationStep, migrate } from './db/migrate.ts'
import type { Database } from './db/pool.ts'
import { c2sFeature, managementFeature } from './stream/settings.ts'
import { createIds, randomId } from './xmpp/id.ts'

/** How often settings that another node changed are looked for when its hint was lost. */
const SETTINGS_POLL_MS = 30_000
/** How often sessions are looked at whose time to be resumed may be over. */
const SWEEP_MS = 1_000

const RANDOM_POOL_BYTES = 8_192

/** How a node of several meets the others. */
export interface ClusterParts {
  readonly directory: Directory
  readonly bus: Bus
}

/** The chat server of one office on one node, without sockets. */
export interface Chat {
  readonly parts: ServerParts
  readonly features: readonly Feature[]
  /** Ends all sessions, writes what waits, stops the features in reverse. */
  close(): Promise<void>
}

/** Every feature there is: core, stream, and the files of features/, found by name. */
export async function loadFeatures(): Promise<Feature[]> {
  const folder = new URL('./features/', import.meta.url)
  // The installed program has them as files of their own too, beside the chunk with this function (installers/bundle.ts).
  const files = (await readdir(folder)).filter(file => /^[\w-]+\.[jt]s$/.test(file))
  const loaded = await Promise.all(
    files.map(async file => (await import(new URL(file, folder).href)) as { default: Feature }),
  )
  return [...coreFeatures, c2sFeature, managementFeature, ...startOrder(loaded.map(one => one.default))] as Feature[]
}

/** All documents that the features implement, by number, each once. */
export function standardsOf(features: readonly Feature[]): Standard[] {
  const byId = new Map(features.flatMap(one => one.standards).map(standard => [standard.id, standard]))
  return [...byId.values()].sort((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true }))
}

/**
 * Brings the database up to date and starts core and features.
 * @throws MigrationFault when the database is of a newer version; DatabaseAway
 */
export async function startChat(options: {
  domain: string
  node: string
  version: string
  log: Logger
  db: Database
  features: readonly Feature[]
  /** Without it the node is alone. */
  cluster?: ClusterParts | undefined
}): Promise<Chat> {
  const { db, features, log } = options
  await migrate(db, migrationsOf(features), { version: options.version })
  const settings = new Settings(db)
  for (const one of features) settings.declare(one)
  await settings.load()
  const parts = buildParts(options, settings)
  const releases: (() => Promise<void>)[] = []
  for (const one of features) {
    const { server, release } = scopeFor(parts, one)
    const stop = await one.start(server)
    releases.push(async () => {
      try {
        await stop?.()
      } finally {
        release()
      }
    })
  }
  const leaveOthers = meetOthers(parts)
  const readSettings = (): void => {
    settings.load().catch(error => log.warn({ err: error }, 'settings were not read again'))
  }
  const poll = setInterval(readSettings, SETTINGS_POLL_MS)
  // A server that was promoted may have lost the last changes: what everybody reads there counts, not what this node remembers.
  const unfollow = db.onMove(({ isNewTimeline }) => {
    if (!isNewTimeline) return
    settings.doubt()
    readSettings()
    parts.accounts.doubtAll()
    parts.rosters.doubtAll()
  })
  const sweep = setInterval(() => parts.sessions.sweep(), SWEEP_MS)
  return {
    parts,
    features,
    async close() {
      unfollow()
      clearInterval(poll)
      clearInterval(sweep)
      await Promise.all([...parts.sessions.all()].map(session => parts.sessions.end(session, 'shutdown')))
      await parts.queue.close()
      for (const release of releases.reverse()) {
        try {
          await release()
        } catch (error) {
          // What one cannot write any more must not keep the others at work.
          log.warn({ err: error }, 'a part of chat was not ended in order')
        }
      }
      leaveOthers()
    },
  }
}

/** The steps that bring a database to what these features expect, in order. */
export function migrationsOf(features: readonly Feature[]): MigrationStep[] {
  return features.flatMap(one =>
    (one.migrations ?? []).map((sql, index) => ({ feature: one.name, number: index + 1, sql })),
  )
}

function buildParts(
  options: {
    domain: string
    node: string
    version: string
    log: Logger
    db: Database
    cluster?: ClusterParts | undefined
  },
  settings: Settings,
): ServerParts {
  const { domain, node, version, log, db } = options
  const hooks = new HookTable()
  const iqs = new IqTable()
  const { directory, bus } = options.cluster ?? { directory: localDirectory(node), bus: localBus() }
  const random = pooledRandom()
  const ids = createIds({ now: Date.now, random })
  const limits = settings.of('sessions') as SessionSettings
  const passwords = settings.of('passwords') as PasswordSettings
  const everywhere = new Everywhere({ directory, bus })
  const hints = new CacheHints(bus, {
    isAway: () => db.state === 'away',
    nodesOf: username => {
      const routes = directory.routes(`${username}@${domain}`)
      return [...new Set(routes.map(route => route.node))].filter(name => name !== directory.node)
    },
  })
  const sessions = new Sessions({
    everywhere,
    directory,
    hooks,
    domain,
    limits: () => ({ perAccount: limits.perPerson, conflict: limits.conflict }),
    randomId: () => randomId(random),
    now: Date.now,
  })
  const reach = new Reach({ directory, sessions, bus })
  const accounts = new Accounts({
    db,
    hooks,
    domain,
    iterations: () => passwords.iterations,
    isPinned: username => sessions.has(username),
    now: Date.now,
    hints,
  })
  const queue = new ArchiveQueue({ db, log: log.child({ part: 'archive' }), nextId: () => ids.next(), bus })
  const rosters = new Rosters({ db, hooks, sessions, domain, directory, reach, hints })
  const presence = new Presence({ domain, directory, hooks, rosters, sessions, reach })
  const subscriptions = new Subscriptions({ domain, hooks, accounts, rosters, directory, reach, presence })
  const messages = new Messages({ domain, directory, bus, hooks, accounts, sessions, queue })
  new FarArrivals({ bus, directory, queue, rosters, sessions })
  const router = new Router({
    domain,
    log: log.child({ part: 'router' }),
    directory,
    hooks,
    iqs,
    messages,
    presence,
    subscriptions,
    rosters,
    sessions,
    reach,
  })
  return {
    domain,
    node,
    version,
    log,
    db,
    now: Date.now,
    nextId: () => ids.next(),
    randomId: () => randomId(random),
    hooks,
    iqs,
    nonzas: new Map(),
    advertisements: new AdvertisementTable(),
    streamFeatures: new Set(),
    sessions,
    directory,
    bus,
    reach,
    everywhere,
    hints,
    accounts,
    rosters,
    queue,
    router,
    subscriptions,
    settings,
  }
}

/** Random bytes out of a pool that is filled in one go: a call to the system for each id is dear. Never the same byte twice. */
function pooledRandom(): (bytes: number) => Buffer {
  let pool = Buffer.alloc(0)
  return bytes => {
    if (pool.length < bytes) pool = randomBytes(Math.max(bytes, RANDOM_POOL_BYTES))
    // Copied, so that what is kept for long does not keep the pool.
    const taken = Buffer.from(pool.subarray(0, bytes))
    pool = pool.subarray(bytes)
    return taken
  }
}
