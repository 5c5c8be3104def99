/** What the admin pages are given by main.ts: nothing here is built by them. */
import type { Logger } from 'pino'
import type { Bus } from '../cluster/bus.ts'
import type { Directory } from '../cluster/directory.ts'
import type { HazelcastFigures } from '../cluster/hazelcast/hazelcast.ts'
import type { Peer } from '../cluster/mesh.ts'
import type { Accounts } from '../core/accounts.ts'
import type { HookTable } from '../core/hooks.ts'
import type { Sessions } from '../core/sessions.ts'
import type { Settings } from '../core/settings.ts'
import type { Inspection } from '../db/inspect/inspection.ts'
import type { Database } from '../db/pool.ts'
import type { RecentEntries } from '../log.ts'
import type { ServerTls } from '../net/tls.ts'
import type { Backup, BackupJob } from './contract/backups.ts'
import type { DatabaseMove, DatabaseStatus } from './contract/database.ts'
import type { DesktopUpdate } from './contract/desktop.ts'
import type { Reply, Wellness } from './contract/endpoint.ts'
import type { Mend } from './contract/errors.ts'
import type { Joining, OfficeCard } from './contract/joining.ts'
import type { discoverNodes, HandedOver, JoinRequest, Node } from './contract/nodes.ts'
import type { RecoverySheet } from './contract/setup.ts'
import type { Updates } from './contract/updates.ts'

/** What there is from the start, office or not. */
export interface AdminParts {
  readonly version: string
  /** The name of this PC. */
  readonly pc: string
  readonly log: Logger
  /** The last lines of the log, and those to come. */
  readonly recent: RecentEntries
  /** Milliseconds since the epoch. */
  now(): number
  /** Each is later than the one before, when compared as text (UUIDv7). */
  nextId(): string
  readonly dataFolder: string
  /** Where the built admin pages lie; may be missing. */
  readonly uiFolder: string
  /** Port 0: any free one; undefined: not served. */
  readonly listen: {
    readonly host: string
    readonly admin: number | undefined
    readonly adminPlain: number | undefined
  }
  readonly setup: SetupParts
  /** Ends the server in order, as a signal of the operating system does. Answers at once. */
  stop(): void
}

/** What the first page of set-up asks of main.ts. */
export interface SetupParts {
  /** The DNS domain of this PC, if it has one. */
  suggestedDomain(): string | undefined
  /** Makes the office, starts the chat and calls `Admin.open` before it answers. Throws only what is a bug. */
  createOffice(input: OfficeInput, onProgress: OnProgress): Promise<OfficeMade>
  /** Tries every host of a PostgreSQL URL, each with a time limit of its own. */
  checkDatabase(url: string): Promise<Inspection>
  /** Joining an office that is there already. */
  readonly join: JoinDesk
}

export interface OfficeInput {
  readonly office: string
  readonly domain: string
  readonly database?: { readonly url: string }
  readonly person: { readonly name: string; readonly username: string; readonly password: string }
}

export type StepId = 'database' | 'server' | 'network' | 'office-database' | 'keys' | 'account' | 'open'
export type StepState = 'waiting' | 'doing' | 'done' | 'failed'
export type OnProgress = (step: StepId, state: StepState, detail?: string) => void

/** `field` is the dotted part of {@link OfficeInput} at fault, if it is one. */
export type OfficeMade =
  | { readonly kind: 'made' }
  | { readonly kind: 'refused'; readonly sentence: string; readonly field?: string }

/** What there is once the office is open. */
export interface OfficeParts {
  /** Its name: “ACME”. */
  readonly name: string
  readonly domain: string
  readonly db: Database
  readonly accounts: Accounts
  readonly sessions: Sessions
  readonly settings: Settings
  readonly hooks: HookTable
  readonly directory: Directory
  /** To the admin sides of the other PCs; absent: there are none. */
  readonly bus?: Bus
  readonly tls: ServerTls
  /** Iterations of new password verifiers (RFC 5802): what a made-up verifier of an unknown user costs. */
  iterations(): number
  readonly certificates: Certificates
  readonly recovery: Recovery
  /** Addresses in the office network where chat is open, best first. */
  addresses(): string[]
  /** The ports that are open, by their names in `listen`. */
  ports(): Partial<Record<PortName, number>>
  /** Whether the database is the office's own PostgreSQL and not the built-in one. */
  readonly isDatabaseOutside: boolean
  readonly database: DatabaseDesk
  readonly backups: BackupDesk
  readonly nodes: NodesDesk
  readonly updates: UpdatesDesk
  /** Joining another office with this PC, which then leaves this one. Works only while it is the only PC here. */
  readonly merge: JoinDesk
  /** Why people cannot sign in on this PC now, as a sentence; undefined when they can. Absent: only the database is looked at. */
  notReady?(): string | undefined
  /** Further checks for the Health page. */
  readonly checks?: readonly Check[]
}

/** What the Database page asks of main.ts: moving the data, and what is kept of former databases. */
export interface DatabaseDesk {
  /** “embedded”, or the URL with •••• for the password. */
  url(): string
  /** Databases that were moved away from or replaced, and are still kept. */
  old(): Promise<DatabaseStatus['old']>
  /** The move that runs or was last. */
  readonly move: DatabaseMove | undefined
  /** Begins to move all data. @throws Refusal with what is wrong with the target, or that a move runs */
  startMove(url: string): Promise<DatabaseMove>
  /** @throws Refusal when there is nothing to cancel, resume or forget */
  steerMove(action: 'cancel' | 'resume' | 'forget'): Promise<DatabaseMove | undefined>
  /** Removes a kept database for good. @throws Refusal when there is none of this id, or it is in use */
  removeOld(id: string): Promise<void>
  /** Calls `listener` as the move goes on. Gives the function that ends it. */
  onMove(listener: (move: DatabaseMove) => void): () => void
}

/** What the Backup page asks of main.ts. */
export interface BackupDesk {
  readonly folder: string
  readonly nextAt: Date | undefined
  /** Whether backups are made every day. */
  readonly isEnabled: boolean
  /** Scheduled backups that failed in a row, and why the last one did. */
  readonly trouble: { readonly failures: number; readonly sentence: string }
  readonly job: BackupJob | undefined
  /** Newest first. @throws Refusal when the folder cannot be read */
  list(): Promise<Backup[]>
  /** Each begins the work and answers. @throws Refusal when something runs already, or this cannot be done */
  make(): Promise<BackupJob>
  prove(name: string): Promise<BackupJob>
  restore(name: string, url: string | undefined): Promise<BackupJob>
  /** Calls `listener` as a job goes on. Gives the function that ends it. */
  onJob(listener: (job: BackupJob) => void): () => void
}

/** What the page about updates asks of main.ts. */
export interface UpdatesDesk {
  /** What the tray shows of them. */
  readonly desktop: DesktopUpdate
  /** For the Health page; undefined: nobody looks for updates. */
  readonly health: CheckResult | undefined
  /** @throws DatabaseAway */
  view(): Promise<Updates>
  /** Reads the feed now. @throws Refusal when there is none */
  check(): Promise<Updates>
  /** Begins to update all PCs, and answers. @throws Refusal when there is nothing to install */
  install(): Promise<Updates>
  /** No further PC is updated until `install`. @param by the name of who wants that */
  stop(by: string): Promise<Updates>
  /** Calls `listener` when anything of this changed. Gives the function that ends it. */
  onChange(listener: () => void): () => void
}

export type PortName = 'c2s' | 'c2sTls' | 's2s' | 's2sTls' | 'component' | 'web' | 'webPlain' | 'cluster'

/** What the office proves itself with, besides the certificate that `tls` shows. */
export interface Certificates {
  /** PEM of the office's own authority. */
  readonly authority: string
  /** office: issued by our own authority; file: given in the configuration. */
  readonly source: 'office' | 'file'
  /** Issues a new server certificate and reloads `tls`; absent when it comes from a file. */
  renew?(): Promise<void>
}

export interface Recovery {
  sheet(): Promise<RecoverySheet>
  /** Somebody said that it is saved or printed. */
  keep(): Promise<void>
}

/** One check of the Health page. */
export interface Check {
  /** Stable: “disk-space”. */
  readonly id: string
  readonly group: 'pcs' | 'database' | 'names' | 'backups'
  /** Why it matters, in one or two sentences. */
  readonly why: string
  /** undefined: does not apply here, is not shown. Ended after 8 s. */
  run(): CheckResult | undefined | Promise<CheckResult | undefined>
  /** Does what the button of the result says. */
  mend?(): Promise<void>
}

export interface CheckResult {
  readonly state: Wellness
  readonly sentence: string
  readonly lines?: string[]
  /** While it is so, nobody can log in on this PC. */
  readonly stopsChat?: boolean
  readonly mend?: Mend
}

export type Discovered = Reply<typeof discoverNodes>['offices']

/** Where people connect to one PC. */
export interface NodePlace {
  readonly name: string
  readonly addresses: readonly string[]
  readonly c2s?: number | undefined
  readonly c2sTls?: number | undefined
  readonly web?: number | undefined
}

/** For those who watch: what this PC sees of the others, and what its Hazelcast member costs. */
export interface NodeFigures {
  readonly peers: readonly Pick<Peer, 'node' | 'state' | 'roundTripMs' | 'waitingBytes' | 'waitingFrames'>[]
  /** Undefined while none runs. */
  readonly member: (HazelcastFigures & { readonly seen: number }) | undefined
}

/** What the pages about the PCs ask of main.ts. */
export interface NodesDesk {
  /** Whether other PCs can join. */
  readonly enabled: boolean
  /** The name of this node. */
  readonly node: string
  readonly sentence: string
  /** By number; what the others tell of themselves is at most some seconds old. */
  readonly nodes: readonly Node[]
  /** Oldest first, `requestsShownMax` at most. */
  readonly requests: readonly JoinRequest[]
  readonly codes: readonly { readonly id: string; readonly by: string; readonly expiresAt: string }[]
  /** PCs that were removed from the office, the latest first, and when (milliseconds since 1970). */
  readonly removed: readonly { readonly name: string; readonly at: number }[]
  readonly clusterPort: number | undefined
  /** Where people connect to each PC: addresses best first, ports that are open. */
  readonly places: readonly NodePlace[]
  /** Until when this PC is taken out (ISO 8601); null: until somebody resumes it; undefined: it works. */
  readonly pausedUntil: string | null | undefined
  /** Takes this PC out, also the only one: people whom nobody can take over are told, and let go. @param minutes undefined: until it is resumed */
  pause(minutes: number | undefined): Promise<HandedOver>
  readonly figures: NodeFigures
  /** @throws Refusal when there are other PCs still */
  setEnabled(enabled: boolean, by: string): Promise<void>
  makeJoinCode(by: string): Promise<{ id: string; code: string; expiresAt: string }>
  /** @throws Refusal when there is none of this id */
  dropJoinCode(id: string): Promise<void>
  /** @throws Refusal when it is over, or joining failed with a sentence */
  answerJoin(id: string, accept: boolean, by: string): Promise<void>
  discover(): Promise<Discovered>
  /** Each works from any PC on any other. @throws Refusal: unknown PC, it is off, it is the last one */
  drain(name: string, by: string): Promise<HandedOver>
  resume(name: string, by: string): Promise<void>
  restart(name: string, by: string): Promise<void>
  remove(name: string, by: string): Promise<void>
  /** Calls `listener` when anything of this changed, at most twice a second. Gives the function that ends it. */
  onChange(listener: () => void): () => void
}

/** What the pages about joining an office ask of main.ts: in the wizard, and for a PC that has an office of its own. */
export interface JoinDesk {
  readonly offices: readonly OfficeCard[]
  readonly joining: Joining
  /** Begins and answers. @throws Refusal when it runs already, or the code or address cannot be read */
  start(way: { readonly address?: string; readonly code?: string }, people?: 'bring' | 'leave'): Promise<Joining>
  /** @throws Refusal when it is too late */
  stop(): Promise<void>
}
