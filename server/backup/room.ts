/** Whether there is room for a backup, or for a database made of one. */
import { statfs } from 'node:fs/promises'
import { readableBytes } from '../admin/words.ts'
import type { Connection } from '../db/address.ts'
import { ask, endWork, openWork } from '../db/copy/work.ts'
import { BackupFault } from './fault.ts'

/** Never fill a disk to the last byte. */
const SPARE_BYTES = 50_000_000

/**
 * Bytes that the next backup may take: half as much again as the last one; without one, half of what the database takes (rows are packed,
 * and indexes are left out).
 * @throws DatabaseAway
 */
export async function roomForBackup(connection: Connection, lastBytes: number | undefined): Promise<number> {
  if (lastBytes !== undefined) return lastBytes * 1.5 + SPARE_BYTES
  const client = await openWork(connection)
  try {
    const [row] = await ask<{ bytes: number }>(client, 'SELECT pg_database_size(current_database())::float8 AS bytes')
    return (row?.bytes ?? 0) * 0.5 + SPARE_BYTES
  } finally {
    await endWork(client)
  }
}

/** Bytes that a database made of a backup may take, with the log that PostgreSQL writes meanwhile. */
export function roomForDatabase(databaseBytes: number): number {
  return databaseBytes * 1.3 + SPARE_BYTES
}

/**
 * @param free bytes; looked up when undefined
 * @throws BackupFault when there is less than needed
 */
export async function mustHaveRoom(folder: string, free: number | undefined, needed: number): Promise<void> {
  const bytes = free ?? (await freeBytes(folder))
  if (bytes >= needed) return
  throw new BackupFault(
    `There is not enough room in ${folder}: ${readableBytes(bytes)} are free, ${readableBytes(needed)} may be needed. Make room, or choose another folder.`,
  )
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}
