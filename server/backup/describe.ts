/** A backup in words. */
import type { Backup } from '../admin/contract/backups.ts'
import type { FoundBackup } from './folder.ts'

/** One backup as the Backup page shows it. */
export function describe({ name, manifest, proof, bytes }: FoundBackup): Backup {
  const { madeAt, people, messages, lanthorn } = manifest
  const base = { name, madeAt, bytes, people, messages, version: lanthorn }
  if (!proof) return { ...base, state: 'warn', sentence: 'Not proven yet: nobody has restored it for a try.' }
  if (!proof.isGood) return { ...base, state: 'bad', sentence: proof.sentence }
  return { ...base, state: 'ok', sentence: `Proven by a restore on ${dayAndTime(proof.at)}.`, provenAt: proof.at }
}

/** “22 November at 03:00”, on this PC's clock. @param moment ISO 8601 */
export function dayAndTime(moment: string): string {
  const format = { day: 'numeric', month: 'long', hour: '2-digit', minute: '2-digit' } as const
  return new Date(moment).toLocaleString('en-GB', format)
}
