/** run.json: how a running server is found, and how the shell proves to be of this PC (written by server/cli/run-file.ts). */
import { promises as files } from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/** What it holds. */
export interface RunFile {
  readonly pid: number
  /** The admin pages on this PC. */
  readonly adminUrl: string
  /** Bearer token of the admin API, good over loopback while the server runs. */
  readonly token: string
}

/** `none`: no server runs, the last one stopped in order; `dead`: it is gone without stopping; `locked`: not for this person to read. */
export type Found = RunFile | 'none' | 'dead' | 'locked'

/** Looks for the server of a folder. */
export async function readRunFile(folder: string): Promise<Found> {
  let text: string
  try {
    text = await files.readFile(path.join(folder, 'run.json'), 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'EACCES' || code === 'EPERM' ? 'locked' : 'none'
  }
  const run = parse(text)
  if (!run) return 'none'
  return isAlive(run.pid) ? run : 'dead'
}

function parse(text: string): RunFile | undefined {
  try {
    const { pid, adminUrl, token } = JSON.parse(text) as Partial<RunFile>
    if (typeof pid !== 'number' || typeof adminUrl !== 'string' || typeof token !== 'string') return undefined
    return isOnThisPc(adminUrl) ? { pid, adminUrl, token } : undefined
  } catch {
    return undefined // half written: the next look will see the whole
  }
}

/**
 * Whether an address stays on this PC: only there the token is sent, and only there pages come without TLS. Nothing else is
 * ever opened in the window, so there is no certificate to trust.
 */
export function isOnThisPc(url: string, interfaces = os.networkInterfaces()): boolean {
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch {
    return false // no address at all
  }
  if (parsed.protocol !== 'http:') return false
  const host = parsed.hostname.replace(/^\[|\]$/g, '')
  if (host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)) return true
  return Object.values(interfaces).some(list => list?.some(one => one.address === host))
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // It is there, and belongs to somebody else: the service's own account.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
