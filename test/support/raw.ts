/**
 * A client that says exactly what a test writes down, and keeps what comes until the test asks for it:
 *
 *     const romeo = await office.client('romeo')
 *     romeo.send("<message to='juliet@office.test' type='chat'><body>Hi</body></message>")
 *     await juliet.receives("<message from='romeo@office.test/r'><body>Hi</body></message>")
 */
import { randomBytes } from 'node:crypto'
import net from 'node:net'
import tls from 'node:tls'
import WebSocket from 'ws'
import { type Element, parseElement, xml } from '../../server/xmpp/element.ts'
import { Framer, type FramerEvent } from '../../server/xmpp/framer.ts'
import { encodeSaslData } from '../../server/xmpp/sasl.ts'
import { ScramClient } from '../../server/xmpp/scram-client.ts'
import { type Matcher, Received } from './received.ts'

/** Where to, and how. */
export interface RawTarget {
  readonly domain: string
  /** 127.0.0.1 if absent. */
  readonly host?: string | undefined
  readonly port: number
  /** 'tcp' begins in the clear, 'tls' is direct TLS, 'ws' and 'wss' are WebSockets. */
  readonly over: 'tcp' | 'tls' | 'ws' | 'wss'
  /** The authority that signed the server's certificate (PEM). */
  readonly ca: string
}

/** What a test may choose of a login. */
export interface RawLogin {
  readonly username: string
  readonly password: string
  readonly resource?: string | undefined
  readonly mechanism?: string | undefined
}

const waitMs = 10_000
const nsTls = 'urn:ietf:params:xml:ns:xmpp-tls'
const nsSasl = 'urn:ietf:params:xml:ns:xmpp-sasl'
const nsBind = 'urn:ietf:params:xml:ns:xmpp-bind'

export class RawClient implements AsyncDisposable {
  readonly target: RawTarget
  /** The full JID, once bound. */
  jid = ''
  /** Attributes of the server's last stream header. */
  header: Record<string, string | undefined> = {}
  /** The last stream features. */
  features: Element = xml('none')
  isClosed = false
  readonly #received = new Received()
  #framer: Framer
  #socket: net.Socket | undefined
  #webSocket: WebSocket | undefined
  #closed = Promise.withResolvers<void>()

  private constructor(target: RawTarget) {
    this.target = target
    this.#framer = new Framer({ mode: this.#isWebSocket ? 'document' : 'stream', limits: { stanzaBytes: 16_000_000 } })
  }

  get #isWebSocket(): boolean {
    return this.target.over === 'ws' || this.target.over === 'wss'
  }

  /** Connects; nothing is said yet. */
  static async connect(target: RawTarget): Promise<RawClient> {
    const client = new RawClient(target)
    await client.#connect()
    return client
  }

  /** Connects, secures the connection, logs in and binds a resource. */
  static async logIn(target: RawTarget, login: RawLogin): Promise<RawClient> {
    const client = await RawClient.connect(target)
    await client.authenticate(login)
    await client.bind(login.resource)
    return client
  }

  /** Up to the features after login: stream, STARTTLS where needed, SASL, stream. */
  async authenticate(login: RawLogin): Promise<void> {
    await this.open()
    if (this.target.over === 'tcp' && this.offers('starttls', nsTls)) {
      await this.startTls()
      await this.open()
    }
    await this.sasl(login)
    await this.open()
  }

  /** Sends a stream header and waits for the server's and the features. Attributes given replace the usual ones. */
  async open(attributes: Record<string, string | undefined> = {}): Promise<void> {
    this.sendHeader(attributes)
    await this.receives(element => element.name === 'opened')
    this.features = await this.receives(element => element.name === 'stream:features')
  }

  /** Sends a stream header only. */
  sendHeader(attributes: Record<string, string | undefined> = {}): void {
    const usual = { to: this.target.domain, version: '1.0', 'xml:lang': 'en' }
    if (this.#isWebSocket) {
      this.send(xml('open', { xmlns: 'urn:ietf:params:xml:ns:xmpp-framing', ...usual, ...attributes }).toString())
      return
    }
    const namespaces = { xmlns: 'jabber:client', 'xmlns:stream': 'http://etherx.jabber.org/streams' }
    const header = xml('stream:stream', { ...usual, ...namespaces, ...attributes }).toString()
    this.send(`<?xml version='1.0'?>${header.replace('/>', '>')}`)
  }

  /** Whether the last features hold such an element. */
  offers(name: string, ns: string): boolean {
    return this.features.getChild(name, ns) !== undefined
  }

  get mechanisms(): string[] {
    const list = this.features.getChild('mechanisms', nsSasl)
    return list?.getChildren('mechanism').map(child => child.getText()) ?? []
  }

  /** STARTTLS up to the end of the handshake. */
  async startTls(): Promise<void> {
    this.send(`<starttls xmlns='${nsTls}'/>`)
    await this.receives(`<proceed xmlns='${nsTls}'/>`)
    await this.secure()
  }

  /** TLS on the connection as it is. */
  async secure(): Promise<void> {
    const plain = this.#socket
    if (!plain) throw new Error('not connected')
    plain.removeAllListeners()
    this.#framer.reset()
    const secured = tls.connect({ socket: plain, servername: this.target.domain, ca: this.target.ca })
    this.#listen(secured)
    await new Promise((resolve, reject) => secured.once('secureConnect', resolve).once('error', reject))
  }

  /** SASL up to success; throws an Error with the failure. Without a mechanism, the best that is offered. */
  async sasl(login: RawLogin): Promise<void> {
    const answer = await this.trySasl(login)
    if (answer.name !== 'success') throw new Error(`login failed: ${answer}`)
  }

  /** SASL up to `<success/>` or `<failure/>`, which is returned. */
  async trySasl({ username, password, mechanism = this.mechanisms[0] ?? '' }: RawLogin): Promise<Element> {
    const isResult: Matcher = element => element.name === 'success' || element.name === 'failure'
    if (mechanism === 'PLAIN') {
      this.#auth(mechanism, Buffer.from(`\0${username}\0${password}`))
      return await this.receives(isResult)
    }
    const scram = new ScramClient({
      mechanism,
      username,
      password,
      nonce: randomBytes(12).toString('base64url'),
      ...(mechanism.endsWith('-PLUS') ? { channelBinding: this.#channelBinding() } : {}),
      offered: { mechanisms: this.mechanisms, channelBindings: this.channelBindings },
    })
    this.#auth(mechanism, scram.first())
    const first = await this.receives(element => element.name === 'challenge' || isResult(element))
    if (first.name !== 'challenge') return first
    const final = await scram.final(Buffer.from(first.getText(), 'base64'))
    this.send(`<response xmlns='${nsSasl}'>${encodeSaslData(final)}</response>`)
    const answer = await this.receives(isResult)
    if (answer.name === 'success' && !scram.isServerRight(Buffer.from(answer.getText(), 'base64'))) {
      throw new Error('the server does not know the password')
    }
    return answer
  }

  get channelBindings(): string[] {
    const list = this.features.getChild('sasl-channel-binding', 'urn:xmpp:sasl-cb:0')
    return list?.getChildren('channel-binding').map(child => String(child.attrs.type)) ?? []
  }

  /** Binds a resource and returns the full JID. */
  async bind(resource?: string): Promise<string> {
    const wanted = resource === undefined ? '' : `<resource>${resource}</resource>`
    this.send(`<iq type='set' id='bind'><bind xmlns='${nsBind}'>${wanted}</bind></iq>`)
    const answer = await this.receives(element => element.name === 'iq' && element.attrs.id === 'bind')
    const jid = answer.getChild('bind', nsBind)?.getChildText('jid')
    if (!jid) throw new Error(`no resource was bound: ${answer}`)
    this.jid = jid
    return jid
  }

  /** Turns stream management on and returns the answer. */
  async manage(attributes = "resume='true'"): Promise<Element> {
    this.send(`<enable xmlns='urn:xmpp:sm:3' ${attributes}/>`)
    return await this.receives(element => element.name === 'enabled' || element.name === 'failed')
  }

  /** Sends text as it is. Over WebSocket it is one message, and a stanza without xmlns gets one. */
  send(text: string): void {
    if (this.#webSocket) {
      this.#webSocket.send(text.replace(/^<(message|presence|iq)(?![^>]*\sxmlns=)/, "<$1 xmlns='jabber:client'"))
    } else this.#socket?.write(text)
  }

  /** Sends bytes that need not be XML, nor UTF-8; over WebSocket as a binary message. */
  sendBytes(bytes: Buffer): void {
    if (this.#webSocket) this.#webSocket.send(bytes)
    else this.#socket?.write(bytes)
  }

  /**
   * The first element that matches, from among all that came and were not asked for yet; waits for it.
   * Stream headers come as `<opened/>`, the end of the stream as `<ended/>`.
   * @param expected a function, or XML: same name, at least these attributes and children, the same text where it has
   *   some
   */
  receives(expected: string | Matcher, timeoutMs = waitMs): Promise<Element> {
    const matches = typeof expected === 'string' ? like(parseElement(expected)) : expected
    return this.#received.next(matches, timeoutMs)
  }

  /** Waits until everything sent so far was handled, and says what came and was not asked for. */
  async leftovers(): Promise<Element[]> {
    const id = `left-${randomBytes(6).toString('hex')}`
    this.send(`<iq type='get' id='${id}'><query xmlns='urn:example:nobody'/></iq>`)
    await this.receives(element => element.attrs.id === id)
    return this.#received.all(() => true)
  }

  /** The stream error and the end of the stream. */
  async fails(condition: string): Promise<Element> {
    const error = await this.receives(element => element.name === 'stream:error')
    if (!error.getChild(condition)) throw new Error(`expected ${condition} but the stream error is ${error}`)
    await this.receives('<ended/>')
    return error
  }

  /** The connection is gone. */
  closed(): Promise<void> {
    return this.#closed.promise
  }

  /** Stops reading, so that the server's writes pile up. */
  pause(): void {
    this.#socket?.pause()
  }

  resume(): void {
    this.#socket?.resume()
  }

  /** Breaks the connection without a word, as a pulled cable does in the end. */
  cut(): void {
    if (this.#socket instanceof tls.TLSSocket || this.#webSocket) this.#socket?.destroy()
    else this.#socket?.resetAndDestroy()
    this.#webSocket?.terminate()
  }

  /** Ends the stream as it should be ended, and waits for the server to do the same. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isClosed) return
    if (this.#isWebSocket) this.send("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
    else this.#socket?.end('</stream:stream>')
    await this.closed()
  }

  async #connect(): Promise<void> {
    const { over, port, domain, ca } = this.target
    const { host = '127.0.0.1' } = this.target
    if (over === 'ws' || over === 'wss') {
      const options = { ca, servername: domain, perMessageDeflate: false }
      const webSocket = new WebSocket(`${over}://${host}:${port}/xmpp-websocket`, 'xmpp', options)
      webSocket.on('upgrade', response => {
        this.#socket = response.socket
      })
      webSocket.on('message', data => this.#read(data as Buffer))
      webSocket.on('close', () => this.#over())
      await new Promise((resolve, reject) => webSocket.once('open', resolve).once('error', reject))
      webSocket.on('error', () => this.#over())
      this.#webSocket = webSocket
    } else if (over === 'tls') {
      const socket = tls.connect({ host, port, servername: domain, ca, ALPNProtocols: ['xmpp-client'] })
      this.#listen(socket)
      await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
    } else {
      const socket = net.connect({ host, port, noDelay: true })
      this.#listen(socket)
      await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    }
  }

  #listen(socket: net.Socket): void {
    this.#socket = socket
    socket.on('data', chunk => this.#read(chunk))
    socket.on('error', () => this.#over())
    socket.on('close', () => this.#over())
  }

  #over(): void {
    this.isClosed = true
    this.#closed.resolve()
  }

  #read(chunk: Buffer): void {
    this.#framer.push(chunk, event => this.#take(event))
  }

  #take(event: FramerEvent): void {
    switch (event.type) {
      case 'open':
        this.header = { ...event.header }
        this.#received.push(xml('opened', { id: event.header.id }))
        return
      case 'stanza':
        // A new stream begins on the same connection.
        if (event.stanza.name === 'success' && !this.#isWebSocket) this.#framer.reset({ keepBuffered: true })
        this.#received.push(event.stanza.element)
        return
      case 'close':
        this.#received.push(xml('ended'))
        return
      default:
        event satisfies never
    }
  }

  #auth(mechanism: string, initial: Buffer): void {
    this.send(`<auth xmlns='${nsSasl}' mechanism='${mechanism}'>${encodeSaslData(initial)}</auth>`)
  }

  #channelBinding(): { type: string; data: Buffer } {
    if (!(this.#socket instanceof tls.TLSSocket)) throw new Error('nothing to bind to without TLS')
    const data = this.#socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
    return { type: 'tls-exporter', data }
  }
}

/** Matches elements that have at least what the pattern has. */
export function like(pattern: Element): Matcher {
  return element => contains(element, pattern)
}

function contains(element: Element, pattern: Element): boolean {
  if (element.name !== pattern.name) return false
  for (const [name, value] of Object.entries(pattern.attrs)) if (String(element.attrs[name]) !== value) return false
  const children = pattern.getChildElements()
  if (children.length === 0 && pattern.getText() !== '' && element.getText() !== pattern.getText()) return false
  return children.every(child => element.getChildElements().some(other => contains(other, child)))
}
