/** The desktop app in a real Electron, started as people start it. Its window is looked into from outside, over Chromium's own protocol. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { constants, tmpdir } from 'node:os'
import path from 'node:path'
import { bundleApp } from '../../app/build.ts'
import { folderForTests } from '../../installers/electron.ts'
import { targetHere } from '../../installers/targets.ts'
import { eventually } from '../support/postgres-server.ts'
import { withTimeout } from '../support/timeout.ts'
import type { DesktopSession } from './session.ts'

const endMs = 45_000
const outputCharsMax = 100_000

/** Electron's program: named in LANTHORN_ELECTRON, or the one that test-tools.mjs has fetched; undefined when there is none. */
export function electronProgram(): string | undefined {
  const target = targetHere()
  const fetched = target && path.join(folderForTests(target), 'electron')
  return [process.env.LANTHORN_ELECTRON, fetched].find(candidate => candidate && existsSync(candidate))
}

/** The bundled shell and a place for profiles; made once for the tests of a file. */
export class BundledShell implements AsyncDisposable {
  readonly folder: string
  #profiles = 0

  static async make(): Promise<BundledShell> {
    const folder = await mkdtemp(path.join(tmpdir(), 'lanthorn-shell-'))
    await bundleApp(path.join(folder, 'app'))
    return new BundledShell(folder)
  }

  /** For `make` only. */
  constructor(folder: string) {
    this.folder = folder
  }

  /** A folder of its own for what a shell remembers. */
  profile(): string {
    return path.join(this.folder, `profile-${this.#profiles++}`)
  }

  /** Starts it. */
  start(
    session: DesktopSession,
    options: { profile: string; args: readonly string[]; env?: Record<string, string> },
  ): Shell {
    const { profile, args, env = {} } = options
    const chromium = [
      '--disable-gpu',
      '--remote-debugging-port=0',
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    ]
    const child = spawn(
      electronProgram() ?? '',
      [path.join(this.folder, 'app'), ...chromium, '--profile-dir', profile, ...args],
      { env: { ...process.env, NODE_OPTIONS: '', ...session.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] },
    )
    return new Shell(child)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** A running shell. */
export class Shell implements AsyncDisposable {
  readonly #child: ChildProcess
  /** The exit code, or 128 + the signal. */
  readonly ended: Promise<number>
  stderr = ''

  constructor(child: ChildProcess) {
    this.#child = child
    running.add(child)
    this.ended = new Promise(resolve => {
      child.on('error', () => resolve(127))
      child.on('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL']))
    })
    void this.ended.then(() => running.delete(child))
    child.stderr?.setEncoding('utf8').on('data', text => {
      this.stderr = (this.stderr + text).slice(0, outputCharsMax)
    })
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Its exit code, when it ends in time. */
  async exitCode(limitMs = endMs): Promise<number> {
    return await withTimeout(this.ended, limitMs, () => `the shell does not end:\n${this.stderr}`)
  }

  /** Asks the page in the window; undefined while there is no window or no page. */
  async ask<T>(expression: string): Promise<T | undefined> {
    const page = await this.#page()
    if (!page) return undefined
    const answer = await page.call('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })
    page.close()
    return (answer as { result?: { value?: T } } | undefined)?.result?.value
  }

  /** Waits until the page answers with something that is not false. */
  async untilPage(expression: string): Promise<void> {
    try {
      await eventually(expression, async () => Boolean(await this.ask(expression)))
    } catch (error) {
      const seen = await this.ask('location.href + "\\n" + document.body.innerText')
      throw new Error(`the page stays\n${seen}\n${this.stderr}`, { cause: error })
    }
  }

  /** Waits until this can be read in the window. */
  async untilText(text: string): Promise<void> {
    await this.untilPage(`document.body.innerText.includes(${JSON.stringify(text)})`)
  }

  /** The window's page as PNG. */
  async picture(look: 'light' | 'dark', file: string): Promise<void> {
    const page = await this.#page()
    if (!page) throw new Error('there is no window')
    // Without motion, or colours would be taken half-way from one look to the other.
    const features = [
      { name: 'prefers-reduced-motion', value: 'reduce' },
      { name: 'prefers-color-scheme', value: look },
    ]
    await page.call('Emulation.setEmulatedMedia', { features })
    const { data } = (await page.call('Page.captureScreenshot', { format: 'png' })) as { data: string }
    await page.call('Emulation.setEmulatedMedia', { features: [] })
    page.close()
    await writeFile(file, Buffer.from(data, 'base64'))
  }

  /** Whether a window is open. */
  async hasWindow(): Promise<boolean> {
    return (await this.#target()) !== undefined
  }

  async #target(): Promise<string | undefined> {
    const port = /DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)/.exec(this.stderr)?.[1]
    if (port === undefined) return undefined
    const answer = await fetch(`http://127.0.0.1:${port}/json`).catch(() => undefined)
    const targets = ((await answer?.json()) ?? []) as { type: string; webSocketDebuggerUrl?: string }[]
    return targets.find(({ type }) => type === 'page')?.webSocketDebuggerUrl
  }

  async #page(): Promise<Page | undefined> {
    const url = await this.#target()
    return url === undefined ? undefined : await Page.open(url)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal('SIGTERM')
    await withTimeout(this.ended, endMs, () => {
      this.signal('SIGKILL')
      return `the shell does not end:\n${this.stderr}`
    })
  }
}

/** A test runner that is ended leaves no shell behind. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGTERM')
})

/** One question at a time to one page. */
class Page {
  readonly #socket: WebSocket

  static async open(url: string): Promise<Page | undefined> {
    const socket = new WebSocket(url)
    const isOpen = await new Promise<boolean>(resolve => {
      socket.onopen = () => resolve(true)
      socket.onerror = () => resolve(false)
    })
    return isOpen ? new Page(socket) : undefined
  }

  constructor(socket: WebSocket) {
    this.#socket = socket
  }

  /** @returns undefined when the page went meanwhile */
  call(method: string, params: object): Promise<unknown> {
    return new Promise(resolve => {
      this.#socket.onmessage = ({ data }) => {
        const answer = JSON.parse(String(data)) as { id?: number; result?: unknown }
        if (answer.id === 1) resolve(answer.result)
      }
      this.#socket.onclose = () => resolve(undefined)
      this.#socket.send(JSON.stringify({ id: 1, method, params }))
    })
  }

  close(): void {
    this.#socket.close()
  }
}
