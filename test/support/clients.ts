/** Three chat libraries of other people behind one small interface, so that one test speaks for all of them. */

import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Element } from 'ltx'
import type { Appliance, Ready } from './appliance.ts'
import type { ArchivedMessage, Contact, Library, LibraryClient, Login, PresenceOptions, Transport } from './library.ts'
import { type Matcher, Received } from './received.ts'
import { SlixmppClient } from './slixmpp.ts'
import { StanzaClient } from './stanza.ts'
import { type Office, trustOffice } from './trust.ts'
import { Wire } from './wire.ts'
import { XmppJsClient } from './xmpp-js.ts'

/** Each library over each transport that it can do. */
export const ways: { library: Library; transport: Transport }[] = [
  { library: '@xmpp/client', transport: 'STARTTLS' },
  { library: '@xmpp/client', transport: 'direct TLS' },
  { library: '@xmpp/client', transport: 'WebSocket' },
  { library: 'stanza', transport: 'WebSocket' },
  { library: 'slixmpp', transport: 'STARTTLS' },
  { library: 'slixmpp', transport: 'direct TLS' },
]

/** A client of one of the libraries, with a cable that can be cut and a memory of what it received. */
export class ChatClient implements AsyncDisposable {
  readonly #library: LibraryClient
  readonly #wire: Wire
  readonly #received: Received

  constructor(library: LibraryClient, wire: Wire, received: Received) {
    this.#library = library
    this.#wire = wire
    this.#received = received
  }

  get jid(): string {
    return this.#library.jid
  }

  get bareJid(): string {
    return this.jid.replace(/\/.*/, '')
  }

  get mechanism(): string {
    return this.#library.mechanism
  }

  /** How often it has connected: more than once after its connection broke. */
  get connections(): number {
    return this.#wire.connections
  }

  connect = (): Promise<void> => this.#library.connect()
  send = (xml: string): Promise<void> => this.#library.send(xml)
  rosterGet = (): Promise<Contact[]> => this.#library.rosterGet()
  rosterSet = (jid: string, name: string): Promise<void> => this.#library.rosterSet(jid, name)
  sendPresence = (options?: PresenceOptions): Promise<void> => this.#library.sendPresence(options)
  message = (to: string, body: string): Promise<void> => this.#library.message(to, body)
  enableCarbons = (): Promise<void> => this.#library.enableCarbons()
  queryArchive = (jid: string): Promise<ArchivedMessage[]> => this.#library.queryArchive(jid)

  /** The next stanza that matches, from among all that came since the client connected. */
  next = (matches: Matcher, timeoutMs = 10_000): Promise<Element> => this.#received.next(matches, timeoutMs)

  /** Those that came, match and were not asked for yet. */
  received = (matches: Matcher): Element[] => this.#received.all(matches)

  /** The network fails: both sides see a broken connection. */
  cutSocket(): void {
    this.#wire.cut()
  }

  /** Connects again after `cutSocket`. */
  resume = (): Promise<'resumed' | 'new session'> => this.#library.resume()

  async close(): Promise<void> {
    await this.#library.close()
    await this.#wire.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** A running server, wherever it runs. */
export type Reachable = Office &
  Pick<Appliance, 'host' | 'officeCaFile'> & { readonly ready: Pick<Ready, 'c2s' | 'c2sTls' | 'web'> }

/** A client that has logged in, fetched its contact list and said that it is here, as any real one does first. */
export async function logIn(
  appliance: Reachable,
  { library, transport }: { library: Library; transport: Transport },
  person: { username: string; password: string },
  resource = 'desk',
): Promise<ChatClient> {
  await trustOffice(appliance)
  const ports = { STARTTLS: appliance.ready.c2s, 'direct TLS': appliance.ready.c2sTls, WebSocket: appliance.ready.web }
  const wire = await Wire.to(ports[transport], appliance.host)
  const { domain, officeCaFile } = appliance
  const login = { domain, ...person, resource, transport, port: wire.port, officeCaFile }
  const received = new Received()
  const client = new ChatClient(libraryClient(library, login, received), wire, received)
  try {
    await client.connect()
    await client.rosterGet()
    await client.sendPresence()
    // The server shows us our own presence when it has taken it in: from now on we are reachable.
    await client.next(({ name, attrs }) => name === 'presence' && attrs.from === client.jid)
  } catch (error) {
    await client.close()
    throw error
  }
  return client
}

function libraryClient(library: Library, login: Login, received: Received): LibraryClient {
  const keep = (stanza: Element) => received.push(stanza)
  switch (library) {
    case '@xmpp/client':
      return new XmppJsClient(login, keep)
    case 'stanza':
      return new StanzaClient(login, keep)
    case 'slixmpp':
      return new SlixmppClient(pythonWithSlixmpp() ?? 'python3', login, keep)
  }
}

/** The Python that `npm test` has prepared; undefined means that tests with slixmpp are to be left out. */
export function pythonWithSlixmpp(): string | undefined {
  const venv = fileURLToPath(new URL('../../node_modules/.cache/lanthorn/venv', import.meta.url))
  const [bin, name] = process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python']
  const candidates = [process.env.LANTHORN_PYTHON, path.join(venv, bin, name)]
  return candidates.find(candidate => candidate !== undefined && existsSync(candidate))
}
