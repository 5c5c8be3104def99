import type { Logger } from 'pino'
import type { Admin } from '../admin/admin.ts'
import type { ClusterConfig, Config, Listen } from '../config.ts'
import type { DataFolder } from '../node.ts'
import type { Office } from '../office.ts'
import type { Store } from '../store.ts'

/** The appliance, as its neighbourhood needs it. */
export interface NeighbourhoodOptions {
  readonly folder: DataFolder
  readonly version: string
  /** Of the autosetup file. */
  readonly config: ClusterConfig | undefined
  /** Its own certificate, as the autosetup file says. */
  readonly tls: Config['tls']
  /** The name this PC shall have, as the autosetup file says. */
  readonly name: string
  readonly log: Logger
  readonly signal: AbortSignal
  listen(): Listen
  admin(): Admin
  office(): Office | undefined
  store(): Promise<Store>
  /** Closes the office, lets `change` happen, opens it again. @param sentence what pages say meanwhile */
  reopen(sentence: string, change?: () => Promise<void>, undo?: () => Promise<void>): Promise<void>
  /** The data folder belongs to an office now: opens it. */
  join(): Promise<void>
  /** Ends chat on this PC for good. */
  leave(): Promise<void>
  /** Why this is no moment for such a change, as a sentence. */
  busyWith(): string | undefined
}
