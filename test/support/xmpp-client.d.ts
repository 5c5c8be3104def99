/** The part of @xmpp/client that the tests use; the package has no types of its own. */
declare module '@xmpp/client' {
  import type { EventEmitter } from 'node:events'
  import type { Element } from 'ltx'

  export interface Client extends EventEmitter {
    readonly jid: { toString(): string } | null
    readonly status: string
    readonly reconnect: { delay: number; stop(): void }
    readonly streamManagement: EventEmitter & { id: string; enabled: boolean }
    readonly iqCaller: { request(iq: Element, timeoutMs?: number): Promise<Element> }
    start(): Promise<unknown>
    stop(): Promise<unknown>
    send(stanza: Element): Promise<void>
  }

  export function client(options: {
    service: string
    domain: string
    username: string
    password: string
    resource: string
  }): Client

  export function xml(name: string, attributes: Record<string, string | undefined>, ...children: unknown[]): Element
}
