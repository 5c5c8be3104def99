/** The shell's line to the server of this PC, whoever started it: finds it, asks it, follows its events, and finds it again. No Electron in here. */
import type { Desktop } from '../server/admin/contract/desktop.ts'
import { AskFault, ask, lines } from './api.ts'
import { BackOff } from './back-off.ts'
import { type EventStream, followEvents } from './events.ts'
import { type Found, type RunFile, readRunFile } from './run-file.ts'

/** Asked again after this long even when no event came, or the stream of events cannot be had. */
const POLL_MS = 10_000
const POLL_WITHOUT_EVENTS_MS = 2_000
/** Looks for a server that is not there: quick at first, once a second for ever. */
const look = { firstMs: 200, longestMs: 1_000 } as const
/** Events in a burst are answered by one question. */
const COALESCE_MS = 150
/** A process that is there and does not answer may be starting or stopping, but not for longer than this. */
const PATIENCE_MS = 8_000

/**
 * What is known of the server. `starting`: it comes, or goes; `fresh`: it waits for its wizard; `lost`: it was there, and nobody
 * stopped it; `stopped`: somebody did, or nobody started it; `locked`: it is there, but not for this person to look after.
 */
export type LinkState =
  | { readonly at: 'starting'; readonly run?: RunFile }
  | { readonly at: 'fresh'; readonly run: RunFile }
  | { readonly at: 'up'; readonly run: RunFile; readonly desktop: Desktop }
  | { readonly at: 'lost' | 'stopped' | 'locked'; readonly office?: string | undefined }

/** The stream of events of one run of the server. */
interface Following {
  readonly token: string
  isOpen: boolean
  stream: EventStream | undefined
}

/** One link for the life of the shell. */
export class ServerLink {
  readonly #folders: readonly string[]
  readonly #onChange: (state: LinkState) => void
  readonly #backOff = new BackOff(look)
  #state: LinkState = { at: 'starting' }
  #timer: NodeJS.Timeout | undefined
  #isAsking = false
  #isStale = false
  #following: Following | undefined
  /** Since when a living process does not answer. */
  #silentSince: number | undefined
  /** The last run that answered, and the one that we have asked to stop. */
  #lastToken: string | undefined
  #stoppedToken: string | undefined
  #office: string | undefined
  #isClosed = false

  /** @param options.folders where its run.json may be, the most wanted first */
  constructor(options: { folders: readonly string[]; onChange: (state: LinkState) => void }) {
    this.#folders = options.folders
    this.#onChange = options.onChange
  }

  get state(): LinkState {
    return this.#state
  }

  /** Looks now, not when it would have looked anyway. */
  look(): void {
    this.#isStale = true
    if (!this.#isAsking) this.#lookIn(0)
  }

  /** We have asked the server to stop: that it goes is no loss. */
  expectStop(): void {
    this.#stoppedToken = this.#lastToken
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#following?.stream?.close()
  }

  #lookIn(waitMs: number): void {
    clearTimeout(this.#timer)
    if (!this.#isClosed) this.#timer = setTimeout(() => void this.#lookNow(), waitMs)
  }

  async #lookNow(): Promise<void> {
    this.#isAsking = true
    this.#isStale = false
    const state = await this.#find()
    this.#isAsking = false
    if (this.#isClosed) return
    const waitMs = this.#waitAfter(state)
    if (JSON.stringify(state) !== JSON.stringify(this.#state)) {
      this.#state = state
      this.#onChange(state)
    }
    this.#lookIn(this.#isStale ? COALESCE_MS : waitMs)
  }

  #waitAfter(state: LinkState): number {
    if (state.at !== 'up') return this.#backOff.nextMs()
    this.#backOff.reset()
    return this.#following?.isOpen ? POLL_MS : POLL_WITHOUT_EVENTS_MS
  }

  async #find(): Promise<LinkState> {
    const found = await this.#read()
    if (typeof found === 'string') return this.#absent(found)
    try {
      const desktop = await ask(found, lines.getDesktop)
      this.#lastToken = found.token
      this.#office = desktop.office
      this.#silentSince = undefined
      this.#follow(found)
      return { at: 'up', run: found, desktop }
    } catch (error) {
      if (!(error instanceof AskFault)) throw error
      return this.#unanswered(found, error)
    }
  }

  async #read(): Promise<Found> {
    const all: Found[] = []
    for (const folder of this.#folders) {
      const found = await readRunFile(folder)
      if (typeof found !== 'string') return found
      all.push(found)
    }
    return all.find(found => found === 'locked') ?? all.find(found => found === 'dead') ?? 'none'
  }

  /** No process: killed if it was there before and left its file behind, else stopped in order. */
  #absent(found: 'none' | 'dead' | 'locked'): LinkState {
    this.#silentSince = undefined
    if (found === 'locked') return { at: 'locked' }
    const wasUp = this.#lastToken !== undefined
    return { at: found === 'dead' && wasUp && !this.#isStopWanted ? 'lost' : 'stopped', office: this.#office }
  }

  #unanswered(run: RunFile, { problem }: AskFault): LinkState {
    if (problem?.code === 'not-set-up') return { at: 'fresh', run }
    if (problem?.code === 'not-ready') return { at: 'starting', run }
    this.#silentSince ??= Date.now()
    if (Date.now() - this.#silentSince < PATIENCE_MS) return { at: 'starting', run }
    return { at: this.#isStopWanted ? 'stopped' : 'lost', office: this.#office }
  }

  get #isStopWanted(): boolean {
    return this.#stoppedToken !== undefined && this.#stoppedToken === this.#lastToken
  }

  /** One stream for one run of the server. One that was refused is tried again with the next question. */
  #follow(run: RunFile): void {
    if (this.#following?.token === run.token) return
    this.#following?.stream?.close()
    const following: Following = { token: run.token, isOpen: false, stream: undefined }
    this.#following = following
    following.stream = followEvents(run, {
      open: () => {
        following.isOpen = true
        // What changed between the answer and this moment, no event will tell.
        this.look()
      },
      event: name => {
        if (name === 'desktop') this.look()
      },
      end: () => {
        this.#following = undefined
        if (following.isOpen) this.look()
      },
    })
  }
}
