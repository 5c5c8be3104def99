/** Whether the server on this PC is well again: the right version, and people can log in. */
import http from 'node:http'
import https from 'node:https'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { readPlainFile } from '../request.ts'

const ANSWER_MS = 5_000
const ANSWER_BYTES_MAX = 64 * 1024
/** So often in a row it must be well, in one and the same process: one that falls over again is not. */
const LOOKS = 3

/** A running server, from its run.json. */
export interface Running {
  readonly pid: number
  readonly adminUrl: string
  readonly token: string
}

/**
 * Waits until the server runs in this version and people can log in.
 * @returns undefined when it is so; otherwise, when the time is over, what was seen last, as a sentence
 */
export async function untilReady(options: {
  dataDir: string
  version: string
  limitMs: number
  lookMs: number
}): Promise<string | undefined> {
  const { dataDir, version, limitMs, lookMs } = options
  const endsAt = performance.now() + limitMs
  let well: { pid: number; looks: number } | undefined
  for (;;) {
    const seen = await look(dataDir, version)
    if (typeof seen === 'number') {
      well = { pid: seen, looks: well?.pid === seen ? well.looks + 1 : 1 }
      if (well.looks >= LOOKS) return undefined
    } else well = undefined
    if (performance.now() > endsAt) return typeof seen === 'number' ? 'The server does not keep running.' : seen
    await delay(lookMs)
  }
}

/** @returns its process id, or what is wrong */
async function look(dataDir: string, version: string): Promise<number | string> {
  const running = await readRunning(dataDir)
  if (!running) return 'The server did not start.'
  const session = await ask(running, '/api/session')
  const found = versionIn(session?.text)
  if (found !== undefined && found !== version) return `The server that runs is version ${found}.`
  const ready = await ask(running, '/health/ready')
  if (ready?.status === 200 && found === version) return running.pid
  const why = ready && ready.status !== 200 ? ready.text.trim().slice(0, 200) : ''
  return why === '' ? 'The server does not answer.' : `People cannot log in: ${why}`
}

/** Undefined: none runs on this data folder. */
export async function readRunning(dataDir: string): Promise<Running | undefined> {
  try {
    const found: unknown = JSON.parse((await readPlainFile(path.join(dataDir, 'run.json'), 16 * 1024)).toString('utf8'))
    const { pid, adminUrl, token } = found as Partial<Running>
    if (typeof pid !== 'number' || typeof adminUrl !== 'string' || typeof token !== 'string') return undefined
    return URL.canParse(adminUrl) && isAlive(pid) ? { pid, adminUrl, token } : undefined
  } catch {
    // Not there, or half of it: as good as not running.
    return undefined
  }
}

/** Whether there is such a process. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function versionIn(text: string | undefined): string | undefined {
  try {
    const { version } = JSON.parse(text ?? '') as { version?: unknown }
    return typeof version === 'string' ? version : undefined
  } catch {
    // It is only starting, and answers something else.
    return undefined
  }
}

/** Undefined: no answer. The certificate is not looked at: nothing that is secret or believed depends on it. */
function ask({ adminUrl, token }: Running, page: string): Promise<{ status: number; text: string } | undefined> {
  const url = new URL(page, adminUrl)
  const headers = { authorization: `Bearer ${token}` }
  const options = { headers, agent: false, timeout: ANSWER_MS, rejectUnauthorized: false }
  return new Promise(resolve => {
    const request = (url.protocol === 'https:' ? https : http).get(url, options, response => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
        if (text.length > ANSWER_BYTES_MAX) request.destroy()
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve(undefined))
    request.on('close', () => resolve(undefined))
  })
}
