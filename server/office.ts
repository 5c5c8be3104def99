import { createHash } from 'node:crypto'
import { hostname } from 'node:os'
import type { Logger } from 'pino'
import { adminMigrations } from './admin/open-office.ts'
import type { Certificates } from './admin/parts.ts'
import { createWebServer } from './admin/web.ts'
import { backupFeature } from './backup/feature.ts'
import { type Chat, type ClusterParts, startChat } from './chat.ts'
import { registryMigrations } from './cluster/registry.ts'
import type { Listen, PortName } from './config.ts'
import type { PasswordSettings } from './core/core-features.ts'
import { type Feature, feature } from './core/feature.ts'
import { versionMigrations } from './db/migrate.ts'
import type { Database } from './db/pool.ts'
import { followFiles } from './net/follow-files.ts'
import { OfficeCertificates } from './net/office-certificates.ts'
import { openServerTls, type ServerTls } from './net/tls.ts'
import type { DataFolder } from './node.ts'
import { loneMigrations } from './nodes/lone-watch.ts'
import { clusterFeature } from './nodes/settings.ts'
import { Opening } from './opening.ts'
import { acceptBosh, BOSH_PATH } from './stream/bosh.ts'
import { whyNotReady } from './stream/readiness.ts'
import { Streams } from './stream/streams.ts'
import { listenTcp } from './stream/tcp.ts'
import { acceptWebSocket } from './stream/websocket.ts'
import { updatesFeature } from './updates/settings.ts'

const WEBSOCKET_PATH = '/ws'

/** Who this office is, on this node: from the autosetup file, the wizard, or node.json. */
export interface OfficeIdentity {
  readonly office: string
  readonly domain: string
  readonly node: string
  readonly listen: Listen
  readonly tls?: { readonly certificate: string; readonly key: string } | undefined
}

/** An open office: people can log in. */
export interface Office {
  readonly identity: OfficeIdentity
  readonly chat: Chat
  readonly streams: Streams
  readonly tls: ServerTls
  readonly certificates: Certificates
  /** The ports that are open, by their names in `listen`. */
  readonly ports: Partial<Record<PortName, number>>
  /** Why nobody can sign in now, as a sentence; undefined when people can. */
  notReady(): string | undefined
  /** Takes no more connections, says goodbye, writes what waits. */
  close(): Promise<void>
}

/** The tables of the admin pages, declared like those of any feature. */
const adminFeature = feature({
  name: 'admin',
  title: 'Administration',
  standards: [],
  migrations: adminMigrations,
  start: () => undefined,
})

/** Which PCs belong to the office. */
const nodesFeature = feature({
  name: 'nodes',
  title: 'PCs of the office',
  standards: [],
  migrations: [...registryMigrations, ...loneMigrations],
  start: () => undefined,
})

/** Which version of the program has changed the tables last. */
const programFeature = feature({
  name: 'program',
  title: 'Program',
  standards: [],
  migrations: versionMigrations,
  start: () => undefined,
})

/** All features of an office: those given, and what belongs to every office. */
export function officeFeatures(features: readonly Feature[]): readonly Feature[] {
  const own = [adminFeature, nodesFeature, programFeature, backupFeature, clusterFeature, updatesFeature]
  return [...(own as Feature[]), ...features]
}

/**
 * Opens an office on a database that can be reached: tables, core, features, certificates, listeners.
 * What was opened is closed again when a later step fails.
 * @throws MigrationFault, CertificateFault, ListenFault: each one sentence; DatabaseAway
 */
export async function openOffice(options: {
  identity: OfficeIdentity
  version: string
  folder: DataFolder
  db: Database
  log: Logger
  features: readonly Feature[]
  /** Login without TLS on loopback, for load tests. */
  allowPlaintext: boolean
  /** To the other nodes; without it this one is alone. */
  cluster?: ClusterParts | undefined
  /** Runs when the chat has started and before anybody can connect: first accounts and settings. */
  prepare?(chat: Chat): Promise<void>
}): Promise<Office> {
  const { identity, folder, log } = options
  const opening = new Opening(identity.listen.host, log)
  try {
    const { tls, authority, keepFresh } = await openCertificates(options)
    opening.onClose(keepFresh)
    const chat = await startChat({ ...identity, ...options, features: officeFeatures(options.features) })
    opening.onClose(() => chat.close())
    await options.prepare?.(chat)
    const streams = new Streams({ parts: chat.parts, unknown: await unknownPeople(folder, chat) })
    opening.onClose(() => streams.close())
    const notReady = (): string | undefined => whyNotReady({ streams, db: options.db })
    await openListeners({ ...options, opening, streams, tls, notReady })
    return {
      identity,
      chat,
      streams,
      tls,
      certificates: {
        authority,
        source: identity.tls ? 'file' : 'office',
        ...(identity.tls ? {} : { renew: async () => void (await tls.reload()) }),
      },
      ports: opening.ports,
      notReady,
      close: () => opening.close(),
    }
  } catch (error) {
    await opening.close()
    throw error
  }
}

/** Certificates: the admin's own files, or those of the office's authority, which is made at the first start. */
async function openCertificates(options: {
  identity: OfficeIdentity
  folder: DataFolder
  log: Logger
}): Promise<{ tls: ServerTls; authority: string; keepFresh: () => void }> {
  const { identity, folder, log } = options
  const { office, domain } = identity
  const own = new OfficeCertificates({ folder: folder.file('certificates'), office, domain, hostName: hostname() })
  const authority = await own.authority()
  const tls = await openServerTls({
    domain,
    source: identity.tls ? { kind: 'files', ...identity.tls } : { kind: 'office', load: () => own.load() },
  })
  for (const warning of tls.current.warnings) log.warn(warning)
  const keepFresh = identity.tls
    ? followFiles(Object.values(identity.tls), () => void reloadFiles(tls, log))
    : own.keepFresh(() => tls.reload(), log)
  return { tls, authority: authority.certificate, keepFresh }
}

/** The admin's own files have changed. Until they fit together the certificate in use stays. */
async function reloadFiles(tls: ServerTls, log: Logger): Promise<void> {
  try {
    const { leaf } = await tls.reload()
    log.info({ validTo: leaf.validTo }, 'certificate changed, the new one is used')
  } catch (error) {
    log.error({ err: error }, 'the certificate files changed and cannot be used')
  }
}

/** What people who do not exist look like at login: the same for years, and like those who do. */
async function unknownPeople(folder: DataFolder, chat: Chat): Promise<{ secret: Buffer; iterations: number }> {
  const secret = createHash('sha256')
    .update(await folder.randomSecret('unknown-people'))
    .digest()
  return { secret, iterations: (chat.parts.settings.of('passwords') as PasswordSettings).iterations }
}

async function openListeners(options: {
  identity: OfficeIdentity
  opening: Opening
  streams: Streams
  tls: ServerTls
  log: Logger
  allowPlaintext: boolean
  notReady(): string | undefined
}): Promise<void> {
  const { opening, streams, tls, allowPlaintext } = options
  const { host, ...ports } = options.identity.listen
  const behindBalancers = {
    websocketPath: WEBSOCKET_PATH,
    boshPath: BOSH_PATH,
    proxies: streams.proxies,
    notReady: options.notReady,
    onRefused: (why: string, address: string) =>
      options.log.warn({ address, why }, 'a load balancer was not understood'),
  }
  await opening.open('c2s', ports.c2s, port =>
    listenTcp({ streams, tls, host, port, mode: 'starttls', allowPlaintext }),
  )
  await opening.open('c2sTls', ports.c2sTls, port => listenTcp({ streams, tls, host, port, mode: 'tls' }))
  await opening.open('web', ports.web, async port => {
    const web = await createWebServer({ ...behindBalancers, tls })
    const sockets = acceptChat([
      acceptWebSocket({ streams, server: web.server, tls }),
      acceptBosh({ streams, server: web.server }),
    ])
    return listening(web, sockets, await web.listen({ host, port }))
  })
  await opening.open('webPlain', ports.webPlain, async port => {
    const securePort = (): number | undefined => opening.ports.web
    const web = await createWebServer({ ...behindBalancers, securePort })
    const sockets = acceptChat([
      acceptWebSocket({ streams, server: web.server, allowPlaintext }),
      acceptBosh({ streams, server: web.server, allowPlaintext }),
    ])
    return listening(web, sockets, await web.listen({ host, port }))
  })
}

/** Several ways to chat on one port. */
function acceptChat(ways: readonly { close(): void }[]): { close(): void } {
  return {
    close() {
      for (const way of ways) way.close()
    },
  }
}

function listening(
  web: { close(): Promise<void> },
  sockets: { close(): void },
  port: number,
): { port: number; close(): Promise<void> } {
  return {
    port,
    close: async () => {
      sockets.close()
      await web.close()
    },
  }
}
