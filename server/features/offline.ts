/** XEP-0160: messages for somebody who is away wait in the archive until they are back; XEP-0203: they say since when. */
import { Type } from 'typebox'
import { countPending } from '../core/archive-table-waiting.ts'
import { feature } from '../core/feature.ts'
import type { KeptRow } from '../core/kept-row.ts'
import type { Server } from '../core/server.ts'
import type { Session } from '../core/session.ts'
import { DatabaseAway } from '../db/pool.ts'
import { delayXml } from '../xmpp/delay.ts'
import { escapeAttribute } from '../xmpp/element.ts'
import { timeOf } from '../xmpp/id.ts'
import { NS_CLIENT, NS_STANZA_ID } from '../xmpp/namespaces.ts'
import type { Stanza } from '../xmpp/stanza.ts'

/** Sent in one go; then others have their turn. */
const CHUNK_ROWS = 100
const CHUNK_BYTES = 256 * 1024
const CHUNK_PAUSE_MS = 20
/** So much may be unacknowledged, or not even taken by the connection, before the rest is sent; so long is waited for that. */
const UNACKED_MAX = 500
const UNACKED_BYTES_MAX = 1024 * 1024
const UNTAKEN_BYTES_MAX = 256 * 1024
const ROOM_WAIT_MS = 30_000
/** Later messages are held back behind waiting ones for this long at most. */
const HOLD_MS = 10_000
/** People whose number of waiting messages is remembered, and for how long. */
const COUNTS_MAX = 5_000
const COUNT_MS = 10_000
/** Who was counted to have too many is not counted again so soon. */
const FULL_MS = 1_000
/** How often messages are looked for that wait for somebody who is here, though nobody said so; while another PC is gone, more often. */
const LOOK_MS = 30_000
const LOOK_SOON_MS = 5_000
/** Longest time for counting: other messages of the sender wait behind it. */
const COUNT_WAIT_MS = 500

export default feature({
  name: 'offline',
  title: 'Messages for people who are away',
  standards: [
    { id: 'XEP-0160', title: 'Best Practices for Handling Offline Messages', version: '1.0.1' },
    { id: 'XEP-0203', title: 'Delayed Delivery', version: '2.0' },
  ],
  page: 'Messages',
  settings: Type.Object({
    waitingMax: Type.Integer({
      default: 1_000,
      minimum: 0,
      maximum: 10_000,
      title: 'Messages that may wait for one person',
      description:
        'When somebody is away and so many wait already, the next sender is told that the message was not taken.',
    }),
  }),
  start(server) {
    const counter = countWaiting(server)
    const holds = new Holds()
    const deliver = deliverer(server, session => holds.letGo(session))

    server.advertise('host', { features: ['msgoffline'] })
    // From the moment that others see the person, their messages wait behind the older ones.
    server.on('presence:send', 'watch', ({ sender, stanza, to }) => {
      if (!sender || to || stanza.type !== undefined || isReachable(sender) || !isForMessages(stanza)) return
      holds.hold(sender)
      // A session that was available before has no other moment than this; its new priority counts in an instant.
      if (sender.isAvailable) setImmediate(() => deliver(sender))
    })
    server.on('session:available', 'watch', ({ session }) => {
      counter.drop(session.username)
      if (isReachable(session)) deliver(session)
      else holds.letGo(session)
    })
    const waits = awaited(server, counter)
    server.on('message:waits', 'watch', ({ username }) => {
      const reachable = [...server.sessions.of(username)].filter(isReachable)
      const [best] = reachable.sort((a, b) => (b.priority ?? 0) - (a.priority ?? 0))
      if (best) deliver(best)
    })
    server.on('message:offline', 'filter', async ({ to }) => {
      if (to.local === undefined) return undefined
      try {
        return (await counter.hasRoom(to.local)) ? undefined : 'stop'
      } catch (error) {
        // Nobody can count now; the queue that waits for the database has its own limit.
        if (error instanceof DatabaseAway) return undefined
        throw error
      }
    })
    server.on('session:leaving', 'watch', ({ session }) => holds.letGo(session))
    server.on('session:closed', 'watch', ({ session }) => holds.forget(session))
    server.on('account:removed', 'watch', ({ username }) => counter.drop(username))
    return () => {
      waits.stop()
      holds.letAllGo()
    }
  },
})

/**
 * Messages that wait for somebody who is here: announced by the node that stored them, found when the node that had them is no more, and, should all
 * of that get lost, by a look from time to time. A lone node has none of that.
 */
function awaited(server: Server<{ waitingMax: number }>, counter: Counter): { stop(): void } {
  const { bus, queue } = server
  const epochs = new Map(bus.nodes.map(({ name, epoch }) => [name, epoch]))
  let lookedAt = server.now()
  let looking: Promise<void> | undefined

  const here = (username: string): void => {
    if (server.sessions.has(username)) void server.run('message:waits', { username })
  }
  const look = async (): Promise<void> => {
    lookedAt = server.now()
    const online = new Set<string>()
    for (const session of server.sessions.all()) if (isReachable(session)) online.add(session.username)
    try {
      for (const username of await queue.waitingAmong([...online])) here(username)
    } catch (error) {
      if (!(error instanceof DatabaseAway)) throw error
      // That it is away is told by whoever watches it; the next look is soon.
      server.log.debug('waiting messages were not looked for: database away')
    }
  }
  /** One after the other: what happens meanwhile is looked for once more. */
  const lookNow = (): void => {
    looking = (looking ?? Promise.resolve())
      .then(look)
      .catch(error => server.log.error({ err: error }, 'waiting messages were not looked for'))
  }

  queue.onWaiting = waiting => {
    for (const username of waiting.keys()) here(username)
    bus.tell(undefined, 'waits', { waiting: [...waiting] })
  }
  const undo = [
    bus.onTell('waits', ({ waiting }: { waiting: readonly (readonly [string, number])[] }) => {
      for (const [username, count] of waiting) {
        counter.add(username, count)
        here(username)
      }
    }),
    // What a life that is over had may be taken now.
    bus.onNode(({ name, state, epoch }) => {
      const isNew = epochs.get(name) !== epoch
      epochs.set(name, epoch)
      if (isNew || state === 'gone' || state === 'away') lookNow()
    }),
  ]
  server.every(LOOK_SOON_MS, async () => {
    const isSomebodyGone = bus.nodes.some(({ state }) => state === 'gone')
    if (isSomebodyGone || server.now() - lookedAt >= LOOK_MS) await look()
  })
  return {
    stop() {
      queue.onWaiting = undefined
      for (const one of undo) one()
    },
  }
}

type Counter = ReturnType<typeof countWaiting>

/**
 * How many messages wait for each person, near enough: what is told of them may be counted twice, as it is told each time when somebody leaves them.
 * So nobody is refused before they were counted anew.
 */
function countWaiting(server: Server<{ waitingMax: number }>) {
  const counts = new Map<string, { waiting: number; readonly read: number; readonly readAt: number }>()
  const isSure = ({ waiting, read, readAt }: { waiting: number; read: number; readAt: number }): boolean => {
    const ageMs = server.now() - readAt
    const { waitingMax } = server.settings
    return waiting < waitingMax ? ageMs < COUNT_MS : read >= waitingMax && ageMs < FULL_MS
  }
  return {
    /** Whether one more may wait; then it is counted in. @throws DatabaseAway */
    async hasRoom(username: string): Promise<boolean> {
      let count = counts.get(username)
      if (!count || !isSure(count)) {
        // What this PC has taken in since, and not written yet, waits too.
        if (count) await server.queue.flushed(COUNT_WAIT_MS)
        const read = await countPending(server.db, username, COUNT_WAIT_MS)
        count = { waiting: read, read, readAt: server.now() }
        if (counts.size >= COUNTS_MAX) counts.clear()
        counts.set(username, count)
      }
      if (count.waiting >= server.settings.waitingMax) return false
      count.waiting++
      return true
    },
    /** So many more were stored by another node. */
    add(username: string, more: number): void {
      const count = counts.get(username)
      if (count) count.waiting += more
    },
    drop(username: string): void {
      counts.delete(username)
    },
  }
}

/** Sessions whose new messages wait behind older ones, each for a bounded time. */
class Holds {
  readonly #timers = new Map<Session, NodeJS.Timeout>()

  hold(session: Session): void {
    clearTimeout(this.#timers.get(session))
    session.holdBack()
    const timer = setTimeout(() => this.letGo(session), HOLD_MS)
    timer.unref()
    this.#timers.set(session, timer)
  }

  letGo(session: Session): void {
    this.forget(session)
    session.letGo()
  }

  letAllGo(): void {
    for (const session of [...this.#timers.keys()]) this.letGo(session)
  }

  forget(session: Session): void {
    clearTimeout(this.#timers.get(session))
    this.#timers.delete(session)
  }
}

/**
 * Gives sessions what waits for their account, one session of a person after the other.
 * @param onDone called when a session has been given everything, or no more can be given
 */
function deliverer(server: Server<{ waitingMax: number }>, onDone: (session: Session) => void) {
  /** Sessions whose turn comes, of people for whom one is being given something. */
  const lines = new Map<string, Set<Session>>()

  const give = async (session: Session): Promise<void> => {
    const rows = await server.queue.pendingOf(session.username, server.settings.waitingMax + CHUNK_ROWS)
    try {
      await send(session, rows)
    } finally {
      server.queue.giveBack(rows)
    }
  }

  const send = async (session: Session, rows: readonly KeptRow[]): Promise<void> => {
    let chunk = { rows: 0, bytes: 0 }
    for (const row of rows) {
      if (session.isClosed || !isReachable(session)) return
      if (row.holders > 0 || !row.isPending) continue
      const stanza = delayed(row, server.domain)
      session.write(stanza, row)
      chunk = { rows: chunk.rows + 1, bytes: chunk.bytes + stanza.bytes.length }
      if (chunk.rows < CHUNK_ROWS && chunk.bytes < CHUNK_BYTES) continue
      chunk = { rows: 0, bytes: 0 }
      if (!(await hasRoom(session))) return
    }
  }

  const serve = async (username: string, line: Set<Session>): Promise<void> => {
    // Who comes again while the line is served is served again.
    for (const session of line) {
      line.delete(session)
      try {
        await give(session)
      } catch (error) {
        const isAway = error instanceof DatabaseAway
        if (isAway) server.log.warn({ username }, 'waiting messages were not delivered: database away')
        else server.log.error({ err: error, username }, 'waiting messages were not delivered')
      }
      onDone(session)
    }
    lines.delete(username)
  }

  return (session: Session): void => {
    const { username } = session
    const line = lines.get(username)
    if (line) {
      line.add(session)
      return
    }
    const fresh = new Set([session])
    lines.set(username, fresh)
    void serve(username, fresh)
  }
}

/** RFC 6121 §8.5.2.1.1: a negative priority gets no messages to the bare JID. */
const isReachable = (session: Session): boolean => (session.priority ?? -1) >= 0

function isForMessages(presence: Stanza): boolean {
  const text = presence.child('priority', NS_CLIENT)?.getText().trim() ?? '0'
  return /^\+?\d{1,3}$/.test(text)
}

/** The message with its time (XEP-0203) and its id in the archive (XEP-0359), as it would have had when delivered at once. */
function delayed({ id, input }: KeptRow, domain: string): Stanza {
  const by = escapeAttribute(input.to.bare)
  const mark = input.keep.inReceiver ? `<stanza-id xmlns='${NS_STANZA_ID}' by='${by}' id='${id}'/>` : ''
  return input.stanza.append(mark + delayXml({ stampMs: timeOf(id) ?? 0, from: domain, reason: 'Offline Storage' }))
}

/** Waits until the client has most of what it was sent. @returns false when it does not take it: the rest waits for another time */
async function hasRoom(session: Session): Promise<boolean> {
  const end = performance.now() + ROOM_WAIT_MS
  do {
    await new Promise(resolve => setTimeout(resolve, CHUNK_PAUSE_MS))
    const { outbox, outlet } = session
    const isAcknowledged = !outbox || (outbox.unacked < UNACKED_MAX && outbox.bytes < UNACKED_BYTES_MAX)
    if (isAcknowledged && (outlet?.waitingBytes ?? 0) < UNTAKEN_BYTES_MAX) return true
  } while (performance.now() < end && !session.isClosed)
  return false
}
