/**
 * The map `routes` of Hazelcast as a SharedMap. Writes are gathered and sent in batches, one batch at a time; nobody waits for them. After every
 * connection it is read as a whole, since events that happened in between are lost.
 */
import type { IMap } from 'hazelcast-client'
import type { Logger } from 'pino'
import type { SharedMap } from '../shared-map.ts'
import { within } from './within.ts'

export type RemoteMap = Pick<
  IMap<string, string>,
  'setAll' | 'delete' | 'entrySet' | 'addEntryListener' | 'removeEntryListener'
>
type Follower = Parameters<SharedMap['follow']>[0]
type Event = { readonly key: string; readonly value: string | undefined }

/** From one batch to the next; the first change after a rest goes at once. */
const gatherMs = 25
const batchMax = 500
const againMs = 1_000
/** Keys that wait while there is no connection; more are forgotten, which the directory makes good when it is told all. */
const waitingMax = 100_000
/** Reading all takes longer than one call. */
const readCalls = 4

export class RoutesMap implements SharedMap {
  readonly #log: Logger
  readonly #callMs: () => number
  /** undefined = to be removed. */
  readonly #waiting = new Map<string, string | undefined>()
  /** With the events that came while it is told all; undefined when it has been. */
  readonly #followers = new Map<Follower, Event[] | undefined>()
  #remote: RemoteMap | undefined
  #timer: NodeJS.Timeout | undefined
  #isWriting = false
  #wroteAt = 0

  /** @param options.callMs longest time of one call, now */
  constructor(options: { log: Logger; callMs: () => number }) {
    this.#log = options.log
    this.#callMs = options.callMs
  }

  put(key: string, value: string): void {
    this.#write(key, value)
  }

  remove(key: string): void {
    this.#write(key, undefined)
  }

  follow(follower: Follower): () => void {
    this.#followers.set(follower, [])
    if (this.#remote) void this.#tellAll(this.#remote)
    return () => this.#followers.delete(follower)
  }

  /** A connection is there: events first, then everything. */
  async attach(remote: RemoteMap): Promise<void> {
    for (const follower of this.#followers.keys()) this.#followers.set(follower, [])
    this.#remote = remote
    const put = (event: { key: string; value: string }): void => this.#event(remote, event)
    const remove = ({ key }: { key: string }): void => this.#event(remote, { key, value: undefined })
    const listener = {
      added: put,
      updated: put,
      merged: put,
      loaded: put,
      removed: remove,
      evicted: remove,
      expired: remove,
    }
    await within(remote.addEntryListener(listener, undefined, true), this.#callMs(), 'listening to the routes')
    await this.#tellAll(remote)
    this.#schedule(0)
  }

  /** The connection is lost: what is written waits for the next. */
  detach(): void {
    this.#remote = undefined
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #event(remote: RemoteMap, { key, value }: Event): void {
    if (remote !== this.#remote) return
    for (const [follower, held] of this.#followers) {
      if (held) held.push({ key, value })
      else tell(follower, { key, value })
    }
  }

  /** Everything to the followers that have not had it; then the events that came meanwhile: for each key the last one is the truth. */
  async #tellAll(remote: RemoteMap): Promise<void> {
    try {
      const pairs = await within(remote.entrySet(), this.#callMs() * readCalls, 'reading the routes')
      if (remote !== this.#remote) return
      const entries = new Map(pairs)
      for (const [follower, held] of this.#followers) {
        if (!held) continue
        this.#followers.set(follower, undefined)
        follower.all(entries)
        for (const event of held) tell(follower, event)
      }
    } catch (error) {
      if (remote !== this.#remote) return
      this.#log.info({ err: error }, 'routes in Hazelcast could not be read: they are read again')
      setTimeout(() => {
        if (remote === this.#remote) void this.#tellAll(remote)
      }, againMs).unref()
    }
  }

  #write(key: string, value: string | undefined): void {
    if (this.#waiting.size >= waitingMax && !this.#waiting.has(key)) {
      this.#log.warn({ keys: this.#waiting.size }, 'changes of routes that waited for Hazelcast were forgotten')
      this.#waiting.clear()
    }
    this.#waiting.set(key, value)
    this.#schedule(this.#wroteAt + gatherMs - performance.now())
  }

  #schedule(waitMs: number): void {
    if (this.#timer || this.#isWriting || !this.#remote || this.#waiting.size === 0) return
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        if (this.#remote) void this.#flush(this.#remote)
      },
      Math.max(0, waitMs),
    )
    this.#timer.unref()
  }

  async #flush(remote: RemoteMap): Promise<void> {
    const batch = [...this.#waiting].slice(0, batchMax)
    for (const [key] of batch) this.#waiting.delete(key)
    this.#isWriting = true
    this.#wroteAt = performance.now()
    let waitMs = gatherMs
    try {
      const puts = batch.filter((pair): pair is [string, string] => pair[1] !== undefined)
      const removed = batch.filter(([, value]) => value === undefined).map(([key]) => remote.delete(key))
      await within(
        Promise.all([...removed, puts.length > 0 ? remote.setAll(puts) : undefined]),
        this.#callMs(),
        'writing the routes',
      )
    } catch (error) {
      this.#log.info({ err: error }, 'routes could not be written to Hazelcast: they are written again')
      for (const [key, value] of batch) if (!this.#waiting.has(key)) this.#waiting.set(key, value)
      waitMs = againMs
    }
    this.#isWriting = false
    this.#schedule(waitMs)
  }
}

function tell(follower: Follower, { key, value }: Event): void {
  if (value === undefined) follower.remove(key)
  else follower.put(key, value)
}
