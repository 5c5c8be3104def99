import type { RouteFlags } from '../cluster/directory.ts'
import type { StreamError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import { Inbox } from './inbox.ts'
import type { KeptRow } from './kept-row.ts'
import { Outbox } from './outbox.ts'

/** The way out to a client: what `stream/` gives a session, over whatever transport. */
export interface Outlet {
  readonly transport: 'tcp' | 'tls' | 'websocket' | 'bosh'
  /** IP address of the client. */
  readonly address: string
  readonly isSecure: boolean
  /** Milliseconds since the epoch of the last byte received. */
  readonly receivedAt: number
  /** Bytes that were written and that the connection has not taken yet. */
  readonly waitingBytes?: number
  /** Queues one stanza; all of one turn of the event loop are one write. */
  send(stanza: Stanza): void
  /** Queues an element that is not a stanza. */
  sendRaw(xml: string): void
  /** Ends the stream (with an error, if given) and the connection. The session is not told again. */
  end(error?: StreamError): void
}

/** At so many messages waiting behind older ones, they go on anyhow. */
const HELD_BACK_MAX = 1_000

/** So many unacknowledged stanzas make a session crowded, and so long somebody waits for room there at most. */
const CROWD_STANZAS = 1_000
const CROWD_MS = 250

/** Limits of the unacknowledged queue of a session with stream management. */
export interface OutboxLimits {
  readonly stanzas: number
  readonly bytes: number
}

/**
 * One bound resource (RFC 6120 §7). Lives longer than its stream when stream management allows it to be resumed:
 * without a stream it is *resting* and keeps what it is sent. After its end every send answers 'gone'.
 */
export class Session {
  readonly jid: Jid
  readonly resource: string
  /** Unguessable, unique for good; with stream management it is the `previd` of a resume. */
  readonly id: string
  readonly username: string
  readonly boundAt: number
  /** What the client calls itself, as far as it told (user agent of SASL2, disco, version). */
  client: string | undefined
  outlet: Outlet | undefined
  /** Present once the client enabled stream management. */
  outbox: Outbox | undefined
  inbox: Inbox | undefined
  /** May be resumed (XEP-0198 §5) for this many milliseconds after its stream broke; 0 = not. */
  resumableMs = 0
  /** Since when it rests. */
  restingSince: number | undefined
  /** The last available presence as broadcast; undefined = not available. */
  presence: Stanza | undefined
  /** Presence priority while available. */
  priority: number | undefined
  /** To whom directed presence was sent (full or bare JIDs), RFC 6121 §4.6. Bounded by the presence rules. */
  readonly directed = new Set<string>()
  flags: RouteFlags = {}
  /**
   * Stands between the session and its outlet (client state indication): answers true if it took the stanza to send
   * it later by `write`, or dropped it.
   */
  gate: ((stanza: Stanza, row: KeptRow | undefined) => boolean) | undefined
  #isClosed = false
  /** On its way to another node: nobody here ends it because its time is over, or because it is seen there already. */
  isLeaving = false
  /** Takes what still comes for it since it lives on another node. */
  #relay: ((stanza: Stanza) => void) | undefined
  /** Since when it lives on another node. */
  departedAt: number | undefined
  /** Those who wait for room. */
  #crowd: { readonly promise: Promise<void>; disperse(): void } | undefined
  /** Messages that wait until older ones have been sent (see holdBack). */
  #heldBack: { stanza: Stanza; row: KeptRow | undefined }[] | undefined
  /** Set by the registry: the unacknowledged queue is full. */
  onOverflow: (() => void) | undefined

  constructor(options: { jid: Jid; id: string; username: string; boundAt: number; outlet: Outlet | undefined }) {
    this.jid = options.jid
    this.resource = options.jid.resource ?? ''
    this.id = options.id
    this.username = options.username
    this.boundAt = options.boundAt
    this.outlet = options.outlet
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Asked for the roster: gets roster pushes (RFC 6121 §2.1.6). Other nodes see it in the route. */
  get isInterested(): boolean {
    return this.flags.interested === true
  }

  set isInterested(interested: boolean) {
    this.flags = { ...this.flags, interested }
  }

  get isAvailable(): boolean {
    return this.presence !== undefined
  }

  /** XEP-0198 §3: from now on stanzas are counted and kept until acknowledged. */
  enableManagement(options: { resumableMs: number; limits: OutboxLimits }): void {
    this.outbox = new Outbox(options.limits)
    this.inbox = new Inbox()
    this.resumableMs = options.resumableMs
  }

  /**
   * Sends a stanza to the client, or keeps it while resting.
   * @param row the archive row that waits for this session to have the stanza
   * @returns 'gone' when the session has ended: the caller decides again without it
   */
  send(stanza: Stanza, row?: KeptRow): 'taken' | 'gone' {
    if (this.#isClosed) return 'gone'
    if (this.#heldBack && stanza.kind === 'message') {
      row?.held()
      this.#heldBack.push({ stanza, row })
      if (this.#heldBack.length >= HELD_BACK_MAX) this.letGo()
      return 'taken'
    }
    if (this.gate?.(stanza, row)) return 'taken'
    return this.write(stanza, row)
  }

  /** From now on messages wait, so that those from the archive, which are older, can go first by `write`. Bounded. */
  holdBack(): void {
    this.#heldBack ??= []
  }

  /** Sends what was held back. */
  letGo(): void {
    const held = this.#heldBack ?? []
    this.#heldBack = undefined
    for (const { stanza, row } of held) {
      row?.unheld()
      this.send(stanza, row)
    }
  }

  /** `send` past the gate. */
  write(stanza: Stanza, row?: KeptRow): 'taken' | 'gone' {
    if (this.#isClosed) return 'gone'
    if (this.#relay) {
      // Whoever has a row decides again: it must not be held in two places.
      if (row) return 'gone'
      this.#relay(stanza)
      return 'taken'
    }
    if (this.outbox) {
      this.outbox.push(stanza, row)
      row?.heldBy(this.id, this.outbox.sent)
      this.outlet?.send(stanza)
      if (this.outbox.isFull) this.onOverflow?.()
      return 'taken'
    }
    if (!this.outlet) return 'gone'
    this.outlet.send(stanza)
    row?.taken()
    return 'taken'
  }

  /**
   * The client acknowledged `h` stanzas.
   * @returns false if it claims more than it was sent
   */
  acknowledged(h: number): boolean {
    const rows = this.outbox?.ack(h)
    if (!rows || rows === 'too-many') return false
    for (const row of rows) row.taken()
    if (this.#crowd && this.outbox && this.outbox.unacked < CROWD_STANZAS / 2) this.#crowd.disperse()
    return true
  }

  /** Whether the client, which is there, is far behind with its acknowledgements: who writes to it should wait for `room`. */
  get isCrowded(): boolean {
    return this.outlet !== undefined && this.outbox !== undefined && this.outbox.unacked >= CROWD_STANZAS
  }

  /** Resolves when the client has caught up by half, or after a moment: one that hangs must not hold up those who write to it. */
  room(): Promise<void> {
    if (!this.#crowd) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const disperse = (): void => {
        clearTimeout(timer)
        this.#crowd = undefined
        resolve()
      }
      const timer = setTimeout(disperse, CROWD_MS)
      this.#crowd = { promise, disperse }
    }
    return this.#crowd.promise
  }

  /** The stream broke: the session rests until it is resumed or its time is over. */
  rest(now: number): void {
    this.outlet = undefined
    this.restingSince = now
  }

  /** A new stream took the session over. What was not acknowledged must be sent again by the caller. */
  resume(outlet: Outlet): void {
    this.outlet = outlet
    this.restingSince = undefined
  }

  /** It lives on another node from now on: what still comes here without a row goes to `relay`. Called by the registry only. */
  depart(now: number, relay: (stanza: Stanza) => void): void {
    this.#relay = relay
    this.departedAt = now
    // Nobody here reaches it, or has to be told that it left.
    this.presence = undefined
    this.priority = undefined
    this.directed.clear()
  }

  /** Marks the session as ended and hands out what it never got across. Called by the registry only. */
  close(): { stanza: Stanza; row: KeptRow | undefined }[] {
    this.#isClosed = true
    this.#crowd?.disperse()
    this.outlet = undefined
    this.gate = undefined
    const held = this.#heldBack ?? []
    this.#heldBack = undefined
    return [...(this.outbox?.drain() ?? []), ...held]
  }
}
