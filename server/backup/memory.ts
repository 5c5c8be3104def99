/** What is remembered of scheduled backups over a restart. */
import { readFile } from 'node:fs/promises'
import { writeDurably } from '../durable-file.ts'

/** Failures since the last success. */
export interface Memory {
  /** Scheduled backups that failed in a row. */
  failures: number
  failedAt?: number
  sentence?: string
}

/** Reads it; nothing is remembered when the file is missing or torn by a power cut. */
export async function readMemory(file: string): Promise<Memory> {
  try {
    const { failures, failedAt, sentence } = JSON.parse(await readFile(file, 'utf8')) as Memory
    return { failures, ...(failedAt !== undefined && { failedAt }), ...(sentence !== undefined && { sentence }) }
  } catch {
    return { failures: 0 } // counted from the beginning
  }
}

/** On disk when it resolves. */
export async function writeMemory(file: string, memory: Memory): Promise<void> {
  await writeDurably(file, `${JSON.stringify(memory)}\n`)
}
