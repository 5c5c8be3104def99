/** What is worth a notification, and nothing else is: a PC that wants to join, red, back to green after red, an update done, backups that fail. Pure. */
import type { Desktop } from '../server/admin/contract/desktop.ts'
import { lookOf, type Situation } from './tray-state.ts'

/** One notification; a click opens that page. */
export interface News {
  readonly title: string
  readonly body: string
  readonly page: string
}

/** A first failed backup may be a share that was away for a moment. */
const BACKUP_FAILURES = 2

/** What was told already, so that it is told once. */
export interface Told {
  readonly requests: readonly string[]
  readonly isRed: boolean
  readonly isBackupFailing: boolean
  /** The version of the server that answered last; it outlives the shell. */
  readonly version: string | undefined
}

/** Nothing was told yet. */
export const nothingTold = (version: string | undefined): Told => ({
  requests: [],
  isRed: false,
  isBackupFailing: false,
  version,
})

/**
 * Compares what is with what was told.
 * @returns what to tell now, and what has been told after that
 */
export function newsOf(situation: Situation, told: Told): { news: News[]; told: Told } {
  const { icon, headline, tooltip } = lookOf(situation)
  const isRed = icon === 'bad'
  const news: News[] = []
  if (isRed && !told.isRed) news.push({ title: headline, body: tooltip, page: '/health' })
  // Starting and paused are neither red nor back again.
  const isBack = told.isRed && (icon === 'ok' || icon === 'warn')
  if (isBack) news.push({ title: headline, body: 'People can chat again.', page: '/' })
  const after = { ...told, isRed: isRed || (told.isRed && !isBack) }
  if (situation.at !== 'up') return { news, told: after }
  const { requests, backupFailures, version } = situation.desktop
  news.push(...ofOffice(situation.desktop, told))
  const isBackupFailing = backupFailures >= BACKUP_FAILURES
  return { news, told: { ...after, requests: requests.map(({ id }) => id), isBackupFailing, version } }
}

function ofOffice({ office, requests, backupFailures, version, pc }: Desktop, told: Told): News[] {
  const news: News[] = requests
    .filter(({ id }) => !told.requests.includes(id))
    .map(({ name, address, system, code }) => ({
      title: `${name} wants to join ${office}`,
      body: `Code ${code}. It is at ${address} and runs ${system}.`,
      page: '/pcs',
    }))
  if (told.version !== undefined && told.version !== version) {
    news.push({ title: `${office} is updated`, body: `${pc} runs version ${version} now.`, page: '/' })
  }
  if (backupFailures >= BACKUP_FAILURES && !told.isBackupFailing) {
    const body = `The last ${backupFailures} backups failed. The page Backup says why.`
    news.push({ title: `${office}: no backup`, body, page: '/backup' })
  }
  return news
}
