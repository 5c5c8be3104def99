/**
 * Which of several fresh PCs with the same token makes the office: the one with the lowest id; all others join it (autosetup).
 *
 * Each asks all others again and again what they are. `candidate`: has no office yet · `making`: has said that it will make one. Nobody makes an office
 * before a look at all others that began after it had said so: of two that decide at the same time at least one sees the other's word. The one with the
 * higher id takes its word back then, the one with the lower waits until it has, or until there is an office to join.
 */
import type { About } from '../cluster/pairing/dial.ts'

export type Word = 'candidate' | 'making'

/** What to do after a look. */
export type Decision =
  | { readonly kind: 'join'; readonly addresses: readonly string[] }
  /** Look again, as this. */
  | { readonly kind: 'wait'; readonly as: Word }
  | { readonly kind: 'found' }

/** How long nobody better may have been seen before a PC goes first: others may only just be starting. */
const QUIET_MS = 3_000
/** The same where nobody is listed: announcements come every two seconds, and have to be proven. */
const ALONE_MS = 6_000
/** A computer that is busy looks less often than it should. */
const LOOKS_MIN = 8
/** The same after somebody better was seen and has gone silent: it may be between two steps. */
const SILENCE_MS = 10_000

export class Election {
  readonly #id: string
  readonly #peers: number
  #quietSince: number
  #quietMs: number
  #looks = 0
  #word: Word = 'candidate'

  /**
   * @param id of this node
   * @param peers how many other addresses were listed
   * @param now milliseconds, monotonic
   */
  constructor(id: string, peers: number, now: number) {
    this.#id = id
    this.#peers = peers
    this.#quietSince = now
    this.#quietMs = peers > 0 ? QUIET_MS : ALONE_MS
  }

  /** What others are told. */
  get word(): Word {
    return this.#word
  }

  /** @param abouts what was answered, without this PC's own answer; the look began after `word` was last changed */
  decide(abouts: readonly About[], now: number): Decision {
    const ours = abouts.filter(({ sharesToken }) => sharesToken)
    const offices = ours.filter(({ kind }) => kind === 'office')
    if (offices.length > 0) return { kind: 'join', addresses: offices.map(({ address }) => address) }
    const others = ours.filter(({ kind }) => kind !== 'office')
    const making = others.filter(({ kind }) => kind === 'making')
    if (this.#word === 'making') {
      if (making.some(({ nodeId }) => nodeId < this.#id)) return this.#wait('candidate', now)
      return making.length > 0 ? { kind: 'wait', as: 'making' } : { kind: 'found' }
    }
    if (making.length > 0 || others.some(({ nodeId }) => nodeId < this.#id)) return this.#wait('candidate', now)
    this.#looks++
    const isEverybodyThere = this.#peers > 0 && new Set(others.map(({ nodeId }) => nodeId)).size >= this.#peers
    const isQuiet = now - this.#quietSince >= this.#quietMs && this.#looks >= LOOKS_MIN
    const isClear = isEverybodyThere && this.#looks >= 2 && this.#quietMs === QUIET_MS
    if (!isQuiet && !isClear) return { kind: 'wait', as: 'candidate' }
    this.#word = 'making'
    return { kind: 'wait', as: 'making' }
  }

  /** Somebody else goes first. */
  #wait(as: Word, now: number): Decision {
    this.#word = as
    this.#quietSince = now
    this.#quietMs = SILENCE_MS
    this.#looks = 0
    return { kind: 'wait', as }
  }
}
