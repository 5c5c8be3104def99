/** A client that costs next to nothing: it logs in as real ones do, and then only counts what comes. */
import net from 'node:net'
import tls from 'node:tls'
import { beginScram, type Mechanism } from './scram.ts'

const stepMs = 30_000
const tagEnd = '>'.charCodeAt(0)

export interface Target {
  domain: string
  /** 127.0.0.1 if absent. */
  host?: string
  port: number
  /** Direct TLS with this authority; undefined: plain TCP. */
  ca: string | undefined
}

export interface Account {
  username: string
  password: string
}

export class Connection {
  readonly #socket: net.Socket
  #text = ''
  #wake: (() => void) | undefined
  #fault: Error | undefined
  jid = ''

  private constructor(socket: net.Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', this.#onText)
    socket.on('error', error => this.#fail(error))
    socket.on('close', () => this.#fail(new Error(`the server closed the connection: ${this.#text.slice(-500)}`)))
  }

  /** Connects, logs in and binds a resource. Rejects with what the server said instead. */
  static async open(target: Target, account: Account, resource: string, mechanism: Mechanism): Promise<Connection> {
    const { domain, host = '127.0.0.1', port, ca } = target
    const socket = ca ? tls.connect({ host, port, servername: domain, ca }) : net.connect({ host, port })
    const connection = new Connection(socket)
    try {
      await connection.#logIn(domain, account, mechanism)
      await connection.#bind(resource)
    } catch (error) {
      socket.destroy()
      throw error
    }
    return connection
  }

  async #logIn(domain: string, { username, password }: Account, mechanism: Mechanism): Promise<void> {
    const header = `<stream:stream to='${domain}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`
    const scram = beginScram(mechanism, username, password)
    this.write(header)
    const offered = await this.#until('</stream:features>')
    if (!offered.includes(`>${mechanism}<`)) throw new Error(`the server does not offer ${mechanism}: ${offered}`)
    this.write(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='${mechanism}'>${scram.first}</auth>`)
    const challenge = /<challenge[^>]*>([^<]*)</.exec(await this.#until('</challenge>'))?.[1] ?? ''
    const response = await scram.final(challenge)
    this.write(`<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>${response}</response>`)
    await this.#until('</success>')
    this.write(header)
    await this.#until('</stream:features>')
  }

  async #bind(resource: string): Promise<void> {
    this.write(
      `<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${resource}</resource></bind></iq>`,
    )
    this.jid = /<jid>([^<]+)</.exec(await this.#until('</iq>'))?.[1] ?? ''
    if (!this.jid) throw new Error(`no resource was bound: ${this.#text}`)
  }

  /** Switches stream management on, so that the server confirms what it has taken over. */
  async enableAcks(): Promise<void> {
    this.write("<enable xmlns='urn:xmpp:sm:3'/>")
    await this.#until('<enabled ')
  }

  write(data: string | Uint8Array): void {
    this.#socket.write(data)
  }

  /**
   * From now on nothing is kept: whenever something comes, `onFound` is told how often each of `marks` was in it, and what it was.
   * A mark is ASCII and lies within one tag.
   */
  watch(marks: string[], onFound: (times: number[], tags: Buffer) => void): void {
    const wanted = marks.map(mark => Buffer.from(mark))
    let rest: Buffer = Buffer.alloc(0)
    this.#socket.off('data', this.#onText)
    this.#socket.on('data', (chunk: Buffer) => {
      const data = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
      const end = data.lastIndexOf(tagEnd) + 1
      rest = data.subarray(end)
      if (end === 0) return
      const tags = data.subarray(0, end)
      onFound(
        wanted.map(mark => countOf(mark, tags)),
        tags,
      )
    })
  }

  /** Says goodbye and waits for the end of the connection. */
  async close(): Promise<void> {
    if (this.#socket.destroyed) return
    const closed = new Promise<void>(resolve => this.#socket.once('close', () => resolve()))
    const timer = setTimeout(() => this.#socket.destroy(), stepMs)
    this.#socket.end('</stream:stream>')
    await closed
    clearTimeout(timer)
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #onText = (chunk: Buffer): void => {
    this.#text += chunk.toString('latin1')
    this.#wake?.()
  }

  #fail(error: Error): void {
    this.#fault ??= error
    this.#wake?.()
  }

  async #until(marker: string): Promise<string> {
    const deadline = Date.now() + stepMs
    for (let at = this.#text.indexOf(marker); at < 0; at = this.#text.indexOf(marker)) {
      if (/<failure|<stream:error/.test(this.#text)) throw new Error(`the server refused: ${this.#text}`)
      if (this.#fault) throw this.#fault
      if (Date.now() > deadline) throw new Error(`no ${marker} within ${stepMs} ms, but: ${this.#text}`)
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, stepMs)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    const end = this.#text.indexOf(marker) + marker.length
    const found = this.#text.slice(0, end)
    this.#text = this.#text.slice(end)
    return found
  }
}

function countOf(mark: Buffer, data: Buffer): number {
  let times = 0
  for (let at = data.indexOf(mark); at >= 0; at = data.indexOf(mark, at + mark.length)) times++
  return times
}
