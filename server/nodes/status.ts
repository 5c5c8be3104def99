/** What one PC tells of itself: for its own pages, and every two seconds for those of the others. */
import { readFileSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import os from 'node:os'
import type { Node, NodeLink } from '../admin/contract/nodes.ts'
import type { Chat } from '../chat.ts'

/** Everything of a {@link Node} that only it knows. Readers take what they know and leave the rest: versions differ. */
export interface NodeStatus {
  readonly state: 'on' | 'starting' | 'paused'
  readonly system: string
  readonly version: string
  /** ISO 8601. */
  readonly upSince: string
  readonly addresses: Node['addresses']
  readonly people: number
  readonly connections: number
  readonly routes: number
  readonly database: Node['database']
  readonly databaseOf?: string
  readonly member: Node['member']
  readonly hazelcast?: string
  readonly members?: string[]
  readonly membersMissing?: string[]
  readonly cpuPercent: number
  readonly memoryBytes: number
  readonly diskFreeBytes: number
  readonly diskBytes: number
  /** Counts the changes of the office's settings that it has applied. */
  readonly settings: number
  readonly links: readonly NodeLink[]
}

/** What of a status is decided elsewhere. */
export type StatusFacts = Pick<
  NodeStatus,
  'state' | 'database' | 'databaseOf' | 'member' | 'hazelcast' | 'members' | 'membersMissing' | 'links'
>

/** Reads what this process and this computer are like at the moment. */
export class StatusReader {
  readonly #options: { readonly version: string; readonly dataDir: string; readonly startedAt: number }
  readonly #system = systemName()
  #cpu = { at: performance.now(), used: process.cpuUsage() }

  constructor(options: { version: string; dataDir: string; startedAt: number }) {
    this.#options = options
  }

  /** @param chat undefined while the office is not open here */
  async read(chat: Chat | undefined, facts: StatusFacts): Promise<NodeStatus> {
    const { version, dataDir, startedAt } = this.#options
    const { bavail, blocks, bsize } = await statfs(dataDir)
    const sessions = chat?.parts.sessions
    return {
      ...facts,
      system: this.#system,
      version,
      upSince: new Date(startedAt).toISOString(),
      addresses: interfaceAddresses(),
      people: sessions?.people ?? 0,
      connections: sessions?.size ?? 0,
      routes: chat?.parts.directory.size ?? 0,
      cpuPercent: this.#cpuPercent(),
      memoryBytes: process.memoryUsage.rss(),
      diskFreeBytes: bavail * bsize,
      diskBytes: blocks * bsize,
      settings: chat ? settingsCounter(chat) : 0,
    }
  }

  /** Of this process, since it was asked last. */
  #cpuPercent(): number {
    const now = performance.now()
    const used = process.cpuUsage()
    const elapsedMs = Math.max(1, now - this.#cpu.at)
    const spentMs = (used.user + used.system - this.#cpu.used.user - this.#cpu.used.system) / 1_000
    this.#cpu = { at: now, used }
    return Math.max(0, Math.round((spentMs / elapsedMs) * 1_000) / 10)
  }
}

function settingsCounter(chat: Chat): number {
  return chat.parts.settings.counter
}

/** Addresses by interface; those that only this computer itself reaches are left out. */
export function interfaceAddresses(): Node['addresses'] {
  return Object.entries(os.networkInterfaces())
    .flatMap(([name, list]) => (list ?? []).map(found => ({ ...found, name })))
    .filter(found => !found.internal && !/^fe80:/i.test(found.address))
    .map(({ name, address }) => ({ interface: name, address }))
    .slice(0, 64)
}

/** “Windows 11”, “Debian GNU/Linux 12”, “macOS”. */
export function systemName(): string {
  if (process.platform === 'win32') return os.version().replace(/^Microsoft /, '')
  if (process.platform === 'darwin') return 'macOS'
  try {
    const name = /^PRETTY_NAME="?([^"\n]+)"?$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1]
    return name?.replace(/ \(.*\)$/, '') ?? os.type()
  } catch {
    // A Linux without that file tells its kind at least.
    return os.type()
  }
}
