/** stanza (npm, formerly stanza.io) as a test client: WebSocket, SCRAM-SHA-256. */
import { type Element, parse } from 'ltx'
import { type Agent, createClient, JXT } from 'stanza'
import type { ArchivedMessage, Contact, LibraryClient, Login, PresenceOptions } from './library.ts'
import { webSocketUrl } from './library.ts'

export class StanzaClient implements LibraryClient {
  readonly #client: Agent
  mechanism = ''

  constructor(login: Login, keep: (stanza: Element) => void) {
    const { domain, username, password, resource } = login
    this.#client = createClient({
      jid: `${username}@${domain}`,
      password,
      resource,
      server: domain,
      transports: { websocket: webSocketUrl(login), bosh: false },
      autoReconnect: false,
    })
    // Every frame holds one whole stanza (RFC 7395 section 3.3.3).
    this.#client.on('raw:incoming', frame => {
      if (/^<(message|presence|iq)[\s>/]/.test(frame)) keep(parse(frame))
    })
    this.#client.on('raw:outgoing', frame => {
      this.mechanism = /^<auth [^>]*mechanism="([^"]+)"/.exec(frame)?.[1] ?? this.mechanism
    })
  }

  get jid(): string {
    return this.#client.jid
  }

  async connect(): Promise<void> {
    const started = this.#outcome()
    this.#client.connect()
    await started
    // The session starts when its resource is bound; stream management is asked for right after.
    await this.#client.ping()
  }

  /** The library speaks JSON: it sends what it understands of the XML. */
  async send(xml: string): Promise<void> {
    const element = JXT.parse(xml)
    const stanza = this.#client.stanzas.import(element)
    if (!stanza) throw new Error(`stanza does not know this stanza: ${xml}`)
    await this.#client.send(parse(xml).getName() as 'message', stanza)
  }

  async rosterGet(): Promise<Contact[]> {
    // Asked with the version it knows, the server may answer that nothing has changed (RFC 6121 section 2.6).
    delete this.#client.config.rosterVer
    const { items } = await this.#client.getRoster()
    return items.map(({ jid, name = '', subscription }) => ({ jid, name, subscription }))
  }

  async rosterSet(jid: string, name: string): Promise<void> {
    await this.#client.updateRosterItem({ jid, name } as Parameters<Agent['updateRosterItem']>[0])
  }

  async sendPresence(options: PresenceOptions = {}): Promise<void> {
    this.#client.sendPresence(options)
  }

  async message(to: string, body: string): Promise<void> {
    this.#client.sendMessage({ to, body, type: 'chat' })
  }

  async enableCarbons(): Promise<void> {
    await this.#client.enableCarbons()
  }

  async queryArchive(jid: string): Promise<ArchivedMessage[]> {
    const { results } = await this.#client.searchHistory({ with: jid, paging: { max: 20, before: '' } })
    return (results ?? []).map(({ id = '', item }) => ({
      id,
      from: item.message?.from ?? '',
      body: item.message?.body ?? '',
    }))
  }

  async resume(): Promise<'resumed' | 'new session'> {
    // Wait until the library has seen the cut, or it would close the stream itself.
    while (this.#client.transport) await new Promise(resolve => this.#client.once('disconnected', () => resolve(true)))
    const outcome = this.#outcome()
    this.#client.connect()
    return await outcome
  }

  async #outcome(): Promise<'resumed' | 'new session'> {
    return await new Promise((resolve, reject) => {
      this.#client.once('stream:management:resumed', () => resolve('resumed'))
      this.#client.once('session:started', () => resolve('new session'))
      this.#client.once('auth:failed', () => reject(new Error('authentication failed')))
      this.#client.once('stream:error', error =>
        reject(new Error(`stream error: ${error.condition} ${error.text ?? ''}`)),
      )
    })
  }

  async close(): Promise<void> {
    if (!this.#client.transport) return
    const gone = new Promise(resolve => this.#client.once('disconnected', () => resolve(undefined)))
    await this.#client.disconnect()
    await gone
  }
}
