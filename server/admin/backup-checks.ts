/** What the Health page says about backups. */
import type { Backup } from './contract/backups.ts'
import type { BackupDesk, Check, CheckResult } from './parts.ts'

/** How long a new office may take to find another disk, and to print its recovery sheet. */
const FIRST_DAYS = 7
const HOUR_MS = 60 * 60_000
/** One missed night is no reason to worry anybody: the backup is made up when the PC is on again. */
const OLD_HOURS = 36
const VERY_OLD_HOURS = 3 * 24

/** What the checks look at. */
export interface BackupsForChecks extends Pick<BackupDesk, 'folder' | 'isEnabled' | 'nextAt' | 'trouble' | 'list'> {
  /** Whether backups lie on the disk of the data. @throws with a sentence */
  isOnDataDisk(): Promise<boolean>
}

/**
 * The checks of the group “backups”.
 * @param options.isKeySaved whether somebody said that the recovery sheet is saved or printed
 */
export function backupChecks(
  backups: BackupsForChecks,
  options: { now: () => number; isKeySaved: () => boolean },
): Check[] {
  return [ageCheck(backups, options.now), placeCheck(backups, options.now), keyCheck(backups, options)]
}

function ageCheck(backups: BackupsForChecks, now: () => number): Check {
  return {
    id: 'backup',
    group: 'backups',
    why: 'When the disk of this PC breaks, the office is made anew from its last backup. Only one that was restored for a try is sure to be one.',
    run: async () => {
      const newest = await read(backups)
      if (typeof newest === 'string') return { state: 'bad', sentence: newest, mend: settings }
      return standingOf(backups, newest, now())
    },
  }
}

/** How backups stand as a whole, in a sentence. @param now milliseconds since 1970 */
export function standingOf(
  backups: Pick<BackupDesk, 'isEnabled' | 'nextAt' | 'trouble'>,
  newest: Backup | undefined,
  now: number,
): CheckResult {
  const { trouble, isEnabled, nextAt } = backups
  if (!isEnabled) return { state: 'warn', sentence: 'No backups are made: they are switched off.', mend: settings }
  if (trouble.failures > 0) {
    const often = trouble.failures === 1 ? 'The last backup failed' : `${trouble.failures} backups in a row failed`
    return { state: trouble.failures > 1 ? 'bad' : 'warn', sentence: `${often}: ${trouble.sentence}`, mend: page }
  }
  if (!newest) return { state: 'ok', sentence: `The first backup is made ${whenOf(nextAt, now)}.` }
  return judge(newest, now)
}

function judge(newest: Backup, now: number): CheckResult {
  const hours = Math.max(0, Math.floor((now - Date.parse(newest.madeAt)) / HOUR_MS))
  const age = ageOf(hours)
  if (newest.state !== 'ok')
    return { state: newest.state, sentence: `The newest backup: ${newest.sentence}`, mend: page }
  if (hours > OLD_HOURS) {
    const state = hours > VERY_OLD_HOURS ? 'bad' : 'warn'
    return { state, sentence: `The newest backup is ${age} old.`, mend: page }
  }
  return { state: 'ok', sentence: `The newest backup is ${age} old. ${newest.sentence}` }
}

function placeCheck(backups: BackupsForChecks, now: () => number): Check {
  return {
    id: 'backup-place',
    group: 'backups',
    why: 'A backup on the same disk as the data is lost together with it.',
    run: async () => {
      if (!backups.isEnabled) return undefined
      const newest = await read(backups)
      // Until there is one there is nothing to lose; and what is wrong with the folder is said by the other check.
      if (newest === undefined || typeof newest === 'string') return undefined
      if (!(await backups.isOnDataDisk())) {
        return { state: 'ok', sentence: `Backups lie on another disk than the data: ${backups.folder}.` }
      }
      const state = await advice(backups, now)
      const where = state === 'ok' ? 'So far backups lie' : 'Backups lie'
      return {
        state,
        sentence: `${where} on the same disk as the data. Choose a folder on another disk, or a share of another PC.`,
        mend: settings,
      }
    },
  }
}

function keyCheck(
  backups: BackupsForChecks,
  { now, isKeySaved }: { now: () => number; isKeySaved: () => boolean },
): Check {
  return {
    id: 'recovery-key',
    group: 'backups',
    why: 'The keys of the office are encrypted in every backup. If all PCs are lost, only the recovery sheet opens them.',
    run: async () => {
      if (!backups.isEnabled) return undefined
      if (isKeySaved()) return { state: 'ok', sentence: 'The recovery sheet was saved or printed.' }
      if ((await read(backups)) === undefined) return undefined
      const state = await advice(backups, now)
      const what = state === 'ok' ? 'Still to do: save the recovery sheet' : 'Nobody has saved the recovery sheet yet'
      return {
        state,
        sentence: `${what}. Without it a backup cannot be restored on a new PC.`,
        mend: { label: 'Open the recovery sheet', page: '/recovery' },
      }
    },
  }
}

const settings = { label: 'Open the settings of backups', page: '/settings/backup' }
const page = { label: 'Open the backups', page: '/backup' }

/** The newest backup; a sentence when the folder cannot be read. */
async function read(backups: BackupsForChecks): Promise<Backup | string | undefined> {
  try {
    return (await backups.list())[0]
  } catch (error) {
    return error instanceof Error ? error.message : 'The folder with the backups cannot be read.'
  }
}

/** In its first week an office is told what to do without being blamed for it: who sees a warning on a new office learns to overlook it. */
async function advice(backups: BackupsForChecks, now: () => number): Promise<'ok' | 'warn'> {
  const oldest = (await backups.list()).at(-1)
  return oldest && now() - Date.parse(oldest.madeAt) > FIRST_DAYS * 24 * HOUR_MS ? 'warn' : 'ok'
}

function whenOf(at: Date | undefined, now: number): string {
  if (!at) return 'soon'
  const minutes = Math.ceil((at.getTime() - now) / 60_000)
  if (minutes < 1) return 'now'
  return minutes < 60 ? `in ${minutes} minutes` : `in ${Math.round(minutes / 60)} hours`
}

function ageOf(hours: number): string {
  if (hours < 1) return 'less than an hour'
  if (hours < 48) return hours === 1 ? '1 hour' : `${hours} hours`
  return `${Math.floor(hours / 24)} days`
}
