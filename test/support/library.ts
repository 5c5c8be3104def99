/** What the tests expect of a chat library, whichever it is. */

export type Library = '@xmpp/client' | 'stanza' | 'slixmpp'
export type Transport = 'STARTTLS' | 'direct TLS' | 'WebSocket'

/** Everything a library needs to log in. The certificate is always checked, against the office's own authority. */
export interface Login {
  domain: string
  username: string
  password: string
  resource: string
  transport: Transport
  /** Leads to 127.0.0.1; `domain` is the name that the certificate must carry. */
  port: number
  officeCaFile: string
}

export interface Contact {
  jid: string
  name: string
  subscription: string
}

export interface ArchivedMessage {
  id: string
  from: string
  body: string
}

export interface PresenceOptions {
  to?: string
  type?: 'unavailable' | 'subscribe' | 'subscribed' | 'unsubscribe' | 'unsubscribed'
  status?: string
}

/** What one of the libraries has to be able to do, each in its own way. Promises are rejected if the server says no. */
export interface LibraryClient {
  /** The full address, once connected. */
  readonly jid: string
  /** The SASL mechanism it chose. */
  readonly mechanism: string
  connect(): Promise<void>
  /** Sends any stanza, given as XML. */
  send(xml: string): Promise<void>
  rosterGet(): Promise<Contact[]>
  rosterSet(jid: string, name: string): Promise<void>
  sendPresence(options?: PresenceOptions): Promise<void>
  /** Sends a chat message. */
  message(to: string, body: string): Promise<void>
  enableCarbons(): Promise<void>
  /** The newest messages exchanged with `jid`, oldest first. */
  queryArchive(jid: string): Promise<ArchivedMessage[]>
  /** Connects again after the socket was cut. Tells whether the old stream lives on (XEP-0198). */
  resume(): Promise<'resumed' | 'new session'>
  close(): Promise<void>
}

/** Where a client finds the WebSocket of the server. */
export function webSocketUrl({ domain, port }: Login): string {
  return `wss://${domain}:${port}/ws`
}
