/** Whether commits wait for the copies, and which copy may be read as if it were the main database: pure, from what the servers said. */
import type { FollowerRow, ServerReport } from './probe.ts'

type ReplicationKind = 'none' | 'asynchronous' | 'synchronous' | 'applied' | 'unknown'

export interface Replication {
  readonly kind: ReplicationKind
  /** What it means, for people. */
  readonly sentence: string
}

/** How one copy is followed. */
export type CopyReplication = 'asynchronous' | 'synchronous' | 'applied'

const sentences: Record<Exclude<ReplicationKind, 'unknown'>, string> = {
  none: 'No copy follows the main database: if its disk is lost, only backups are left.',
  asynchronous:
    'The main database does not wait for its copies (asynchronous replication): after a take-over its last moments may be missing. Messages of the last minute are written again from memory; other changes of those moments are not.',
  synchronous: 'Every change is on a copy before it counts: a take-over loses nothing.',
  applied:
    'Every change can be read on a copy before it counts: a take-over loses nothing, and copies answer some of the questions.',
}

/**
 * What the main database says about its copies.
 * @param user our role there, for the sentence that names what it lacks
 */
export function replicationOf(primary: ServerReport, user: string): Replication {
  if (primary.followers.length > 0 && !primary.maySeeReplication) {
    return {
      kind: 'unknown',
      sentence: `The role ${user} may not see whether the main database waits for its copies. As an administrator of PostgreSQL: GRANT pg_monitor TO "${user}";`,
    }
  }
  const kinds = primary.followers.filter(isStreaming).map(row => kindOf(primary, row))
  const kind = (['applied', 'synchronous', 'asynchronous'] as const).find(one => kinds.includes(one)) ?? 'none'
  return { kind, sentence: sentences[kind] }
}

/** How the main database treats this copy; undefined when it cannot be told which of its followers it is. */
export function copyReplication(primary: ServerReport, copy: ServerReport): CopyReplication | undefined {
  const row = rowOf(primary, copy)
  return row && isStreaming(row) ? kindOf(primary, row) : undefined
}

/**
 * Whether a read from this copy sees everything that was committed before it began. Only when no commit can do without it: it is one that
 * synchronous_standby_names cannot leave out, whoever else is connected, and our commits wait until it has applied them (remote_apply).
 * Any doubt means no.
 */
export function isCurrent(primary: ServerReport, copy: ServerReport): boolean {
  if (!copy.isCopy || !copy.isFollowing || !primary.maySeeReplication) return false
  if (!copy.systemId || copy.systemId !== primary.systemId) return false
  if (copy.timeline === undefined || copy.timeline !== primary.timeline) return false
  const row = rowOf(primary, copy)
  if (!row?.name || !isStreaming(row) || kindOf(primary, row) !== 'applied') return false
  return isRequired(primary, row.name)
}

const isStreaming = (row: FollowerRow): boolean => row.state === 'streaming'

function kindOf(primary: ServerReport, row: FollowerRow): CopyReplication {
  const waits = primary.commitLevel !== 'off' && primary.commitLevel !== 'local'
  if (!waits || (row.sync !== 'sync' && row.sync !== 'quorum')) return 'asynchronous'
  return primary.commitLevel === 'remote_apply' ? 'applied' : 'synchronous'
}

/** A copy is known by the name it gives itself (application_name, else cluster_name), which must be unique, and by its address. */
function rowOf(primary: ServerReport, copy: ServerReport): FollowerRow | undefined {
  const { followerName, address } = copy
  if (!followerName) return undefined
  const rows = primary.followers.filter(row => row.name === followerName)
  const [row] = rows
  if (!row || rows.length > 1) return undefined
  const isElsewhere = row.address !== null && address !== undefined && row.address !== address
  return isElsewhere && !isLoopback(address) ? undefined : row
}

/** Whether every commit needs this standby. `*` names nobody, so it counts only while there is nobody else. */
function isRequired(primary: ServerReport, name: string): boolean {
  const { count, names } = parseStandbyNames(primary.standbyNames)
  if (names.includes('*')) return names.length === 1 && primary.followers.length <= count
  return count >= names.length && names.includes(name.toLowerCase())
}

/** synchronous_standby_names (manual 19.6.2): `FIRST 2 (a, b)`, `ANY 1 (a, b)`, `2 (a, b)` or `a, b`, which means the first one. */
export function parseStandbyNames(text: string): { count: number; names: string[] } {
  const match = /^\s*(?:(?:FIRST|ANY)\s+)?(\d+)\s*\((.*)\)\s*$/is.exec(text)
  const list = match?.[2] ?? text
  const names = [...list.matchAll(/"((?:[^"]|"")*)"|([^\s,"]+)/g)].map(([, quoted, plain]) =>
    (quoted?.replaceAll('""', '"') ?? plain ?? '').toLowerCase(),
  )
  return { count: match ? Number(match[1]) : 1, names }
}

const isLoopback = (address: string): boolean => address.startsWith('127.') || address === '::1'
