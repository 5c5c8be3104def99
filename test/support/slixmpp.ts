/** slixmpp (PyPI) as a test client: a Python process that is told what to do in lines of JSON. STARTTLS and direct TLS. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import path from 'node:path'
import readline from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { type Element, parse } from 'ltx'
import type { ArchivedMessage, Contact, LibraryClient, Login, PresenceOptions } from './library.ts'
import { withTimeout } from './timeout.ts'

const script = fileURLToPath(new URL('../interop/slixmpp_client.py', import.meta.url))
const answerMs = 20_000

interface Answer {
  id: number
  result?: unknown
  error?: string
}

export class SlixmppClient implements LibraryClient {
  readonly #login: Login
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #pending = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>()
  #lastId = 0
  #stderr = ''
  jid = ''
  mechanism = ''

  constructor(python: string, login: Login, keep: (stanza: Element) => void) {
    this.#login = login
    this.#child = spawn(python, [script], { stdio: ['pipe', 'pipe', 'pipe'], cwd: path.dirname(script) })
    this.#child.stderr.setEncoding('utf8').on('data', text => {
      this.#stderr = (this.#stderr + text).slice(-20_000)
    })
    this.#child.stdin.on('error', () => undefined) // the end of the process is reported below
    this.#child.on('error', error => this.#fail(error.message))
    this.#child.on('close', () => this.#fail('the Python process ended'))
    readline.createInterface({ input: this.#child.stdout }).on('line', line => {
      const said: Answer | { stanza: string } = JSON.parse(line)
      if ('stanza' in said) keep(parse(said.stanza))
      else this.#answered(said)
    })
  }

  async connect(): Promise<void> {
    const { domain, username, password, resource, transport, port, officeCaFile } = this.#login
    const session = await this.#call('connect', {
      jid: `${username}@${domain}/${resource}`,
      password,
      host: '127.0.0.1',
      port,
      direct_tls: transport === 'direct TLS',
      ca_file: officeCaFile,
    })
    const { jid, mechanism } = session as { jid: string; mechanism: string }
    this.jid = jid
    this.mechanism = mechanism
  }

  async send(xml: string): Promise<void> {
    await this.#call('send', { xml })
  }

  async rosterGet(): Promise<Contact[]> {
    return (await this.#call('roster_get')) as Contact[]
  }

  async rosterSet(jid: string, name: string): Promise<void> {
    await this.#call('roster_set', { jid, name })
  }

  async sendPresence(options: PresenceOptions = {}): Promise<void> {
    await this.#call('presence', { ...options })
  }

  async message(to: string, body: string): Promise<void> {
    await this.#call('message', { to, body })
  }

  async enableCarbons(): Promise<void> {
    await this.#call('enable_carbons')
  }

  async queryArchive(jid: string): Promise<ArchivedMessage[]> {
    return (await this.#call('query_archive', { jid })) as ArchivedMessage[]
  }

  async resume(): Promise<'resumed' | 'new session'> {
    return (await this.#call('resume')) as 'resumed' | 'new session'
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null) return
    const gone = new Promise<void>(resolve => this.#child.once('close', () => resolve()))
    await this.#call('close').catch(() => undefined) // it is ended below in any case
    this.#child.stdin.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5_000)
    await gone
    clearTimeout(timer)
  }

  async #call(what: string, parameters: Record<string, unknown> = {}): Promise<unknown> {
    const id = ++this.#lastId
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject })
    })
    this.#child.stdin.write(`${JSON.stringify({ id, do: what, ...parameters })}\n`)
    return await withTimeout(answer, answerMs, () => `slixmpp did not answer to "${what}":\n${this.#stderr}`)
  }

  #answered({ id, result, error }: Answer): void {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    if (error === undefined) pending?.resolve(result)
    else pending?.reject(new Error(error))
  }

  #fail(reason: string): void {
    for (const { reject } of this.#pending.values()) reject(new Error(`${reason}:\n${this.#stderr}`))
    this.#pending.clear()
  }
}
