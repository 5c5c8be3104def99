/** An appliance that nobody has set up: an empty data folder and the wizard. */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { defaultCluster } from '../../server/config.ts'
import { withTimeout } from '../support/timeout.ts'

const main = fileURLToPath(new URL('../../server/main.ts', import.meta.url))
const startMs = 60_000
const stopMs = 30_000
const ports = [
  'c2s',
  'c2sTls',
  's2s',
  's2sTls',
  'component',
  'web',
  'webPlain',
  'admin',
  'adminPlain',
  'cluster',
] as const

/** The running wizard. */
export interface Fresh extends AsyncDisposable {
  readonly adminUrl: string
  /** The address with its one-use token, as the tray would open it. */
  readonly link: string
  /** Resolves with the line `ready {…}` as soon as the office has been made. */
  readonly ready: Promise<{ domain: string; c2s: number }>
  /** Resolves with its exit code. */
  readonly ended: Promise<number>
}

/**
 * Starts it on free ports of this computer only.
 * @param options.pc the name of the PC
 * @param options.discoveryPort where it looks for offices on the network; by default at the usual port
 * @param options.env added to the environment of the server
 * @throws Error with what it wrote to stderr when it does not come up
 */
export async function startFresh(
  options: { pc?: string; discoveryPort?: number; env?: Record<string, string> } = {},
): Promise<Fresh> {
  const folder = await mkdtemp(path.join(tmpdir(), 'lanthorn-fresh-'))
  await chmod(folder, 0o755) // PostgreSQL runs as another user when the tests run as root
  const dataDir = path.join(folder, 'data')
  await mkdir(dataDir, { mode: 0o755 })
  const listen = { host: '127.0.0.1', ...Object.fromEntries(ports.map(port => [port, 0])) }
  const { discovery, ...cluster } = defaultCluster()
  const state = {
    ...{ format: 1, nodeId: randomUUID(), nodeName: options.pc ?? 'front-desk', epoch: 0, listen },
    cluster: { ...cluster, enabled: true, discovery: { ...discovery, port: options.discoveryPort ?? discovery.port } },
  }
  await writeFile(path.join(dataDir, 'node.json'), JSON.stringify(state), { mode: 0o600 })

  const child = spawn(process.execPath, [main, 'run', '--no-open', '--data', dataDir], {
    cwd: folder,
    env: { ...process.env, NODE_OPTIONS: '', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = once(child, 'close').then(([code]) => Number(code ?? -1))
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', text => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text
  })
  const line = <T>(word: string) =>
    new Promise<T>((resolve, reject) => {
      child.stdout.on('data', () => {
        const found = new RegExp(`^${word} (\\{.*\\})$`, 'm').exec(stdout)?.[1]
        if (found) resolve(JSON.parse(found) as T)
      })
      child.on('close', () => reject(new Error(`The server ended without saying "${word}":\n${stderr}`)))
    })
  const ready = line<{ domain: string; c2s: number }>('ready')
  ready.catch(() => undefined) // only a test that waits for it needs to know
  const close = async () => {
    child.kill('SIGTERM')
    await withTimeout(ended, stopMs, () => {
      child.kill('SIGKILL')
      return `The server did not stop:\n${stderr}`
    })
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    const setup = line<{ adminUrl: string; link: string }>('setup')
    const { adminUrl, link } = await withTimeout(setup, startMs, () => `The server said nothing:\n${stderr}`)
    return { adminUrl, link, ready, ended, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}
