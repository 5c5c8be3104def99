/** @xmpp/client (npm) as a test client: STARTTLS, direct TLS and WebSocket. Its way to authenticate is SCRAM-SHA-1. */
import { randomUUID } from 'node:crypto'
import { type Client, client, xml } from '@xmpp/client'
import { type Element, parse } from 'ltx'
import type { ArchivedMessage, Contact, LibraryClient, Login, PresenceOptions } from './library.ts'
import { webSocketUrl } from './library.ts'
import { withTimeout } from './timeout.ts'

const archive = 'urn:xmpp:mam:2'

export class XmppJsClient implements LibraryClient {
  readonly #client: Client
  readonly #archived: Element[] = []
  mechanism = ''

  constructor(login: Login, keep: (stanza: Element) => void) {
    const { domain, username, password, resource, transport, port } = login
    const services = {
      STARTTLS: `xmpp://${domain}:${port}`,
      'direct TLS': `xmpps://${domain}:${port}`,
      WebSocket: webSocketUrl(login),
    }
    this.#client = client({ service: services[transport], domain, username, password, resource })
    this.#client.reconnect.delay = 20
    this.#client.on('error', () => undefined) // connection errors come again as the end of the connection
    this.#client.on('send', (element: Element) => {
      if (element.name === 'auth' || element.name === 'authenticate') this.mechanism = String(element.attrs.mechanism)
    })
    this.#client.on('stanza', (stanza: Element) => {
      if (stanza.getChild('result', archive)) this.#archived.push(stanza)
      keep(stanza)
    })
  }

  get jid(): string {
    return String(this.#client.jid)
  }

  /**
   * The library says "online" a moment before it has switched stream management on, and miscounts what the server sends in the
   * same moment: it must not be given anything to receive until then.
   */
  async connect(): Promise<void> {
    const managed = new Promise<void>(resolve => {
      this.#client.on('nonza', (element: Element) => {
        if (element.is('enabled', 'urn:xmpp:sm:3')) resolve()
      })
    })
    await this.#client.start()
    await withTimeout(managed, 10_000, () => 'the server did not enable stream management')
  }

  async send(text: string): Promise<void> {
    await this.#client.send(parse(text))
  }

  async rosterGet(): Promise<Contact[]> {
    const answer = await this.#ask('get', xml('query', { xmlns: 'jabber:iq:roster' }))
    const items = answer.getChild('query')?.getChildren('item') ?? []
    return items.map(({ attrs }) => ({ jid: attrs.jid, name: attrs.name ?? '', subscription: attrs.subscription }))
  }

  async rosterSet(jid: string, name: string): Promise<void> {
    await this.#ask('set', xml('query', { xmlns: 'jabber:iq:roster' }, xml('item', { jid, name })))
  }

  async sendPresence({ to, type, status }: PresenceOptions = {}): Promise<void> {
    await this.#client.send(xml('presence', { to, type }, status && xml('status', {}, status)))
  }

  async message(to: string, body: string): Promise<void> {
    await this.#client.send(xml('message', { to, type: 'chat', id: randomUUID() }, xml('body', {}, body)))
  }

  async enableCarbons(): Promise<void> {
    await this.#ask('set', xml('enable', { xmlns: 'urn:xmpp:carbons:2' }))
  }

  async queryArchive(jid: string): Promise<ArchivedMessage[]> {
    const field = (name: string, value: string) => xml('field', { var: name }, xml('value', {}, value))
    const form = xml('x', { xmlns: 'jabber:x:data', type: 'submit' }, field('FORM_TYPE', archive), field('with', jid))
    const newest = xml('set', { xmlns: 'http://jabber.org/protocol/rsm' }, xml('max', {}, '20'), xml('before', {}))
    const queryid = randomUUID()
    await this.#ask('set', xml('query', { xmlns: archive, queryid }, form, newest))
    return this.#archived
      .map(stanza => stanza.getChild('result', archive))
      .filter(result => result?.attrs.queryid === queryid)
      .map(result => {
        const message = result?.getChild('forwarded')?.getChild('message')
        return { id: result?.attrs.id, from: message?.attrs.from, body: message?.getChildText('body') ?? '' }
      })
  }

  /** The library connects again by itself; it only has to be watched. */
  async resume(): Promise<'resumed' | 'new session'> {
    return await new Promise(resolve => {
      this.#client.streamManagement.once('resumed', () => resolve('resumed'))
      this.#client.once('online', () => resolve('new session'))
    })
  }

  async close(): Promise<void> {
    this.#client.reconnect.stop()
    if (this.#client.status !== 'offline') await this.#client.stop()
  }

  async #ask(type: 'get' | 'set', payload: Element): Promise<Element> {
    return await this.#client.iqCaller.request(xml('iq', { type, id: randomUUID() }, payload), 10_000)
  }
}
