/** The one-use join codes that can be used at this node now. They live in its memory only: a restart ends them. */
import { createHmac, randomBytes } from 'node:crypto'
import { type JoinCode, printJoinCode } from './join-code.ts'

/** How long a join code is good for. */
export const codeLifeMs = 15 * 60_000
const codesMax = 16
const wrongTriesMax = 5

/** One that can still be used. */
export interface HeldCode {
  readonly id: string
  /** Who made it. */
  readonly by: string
  readonly expiresAt: string
}

interface Held extends HeldCode {
  readonly secret: Buffer
  readonly endsAtMs: number
  wrongTries: number
  /** Somebody has proven it and is being let in. */
  isTaken: boolean
}

/** What a joiner calls the code by: tells nothing about its secret. */
export function codeIdOf(secret: Buffer): string {
  return createHmac('sha256', secret)
    .update('lanthorn-join id of a code')
    .digest()
    .subarray(0, 12)
    .toString('base64url')
}

export class JoinCodes {
  readonly #held = new Map<string, Held>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  get list(): readonly HeldCode[] {
    return [...this.#held.values()].map(({ id, by, expiresAt }) => ({ id, by, expiresAt }))
  }

  /** Makes one. When there are too many, the oldest ends. */
  make(by: string, office: string, place: Omit<JoinCode, 'secret'>): { id: string; code: string; expiresAt: string } {
    const secret = randomBytes(16)
    const id = codeIdOf(secret)
    const endsAtMs = this.#now() + codeLifeMs
    const expiresAt = new Date(endsAtMs).toISOString()
    this.#held.set(id, { id, by, expiresAt, secret, endsAtMs, wrongTries: 0, isTaken: false })
    if (this.#held.size > codesMax) {
      const [oldest] = this.#held.keys()
      if (oldest !== undefined) this.#held.delete(oldest)
    }
    return { id, code: printJoinCode({ ...place, secret }, office), expiresAt }
  }

  /** The secret of one, for a proof. Undefined when there is none of this id, or somebody is just using it. */
  secretOf(id: string): Buffer | undefined {
    this.sweep()
    const held = this.#held.get(id)
    return held && !held.isTaken ? held.secret : undefined
  }

  /** Somebody gave a wrong proof for it. */
  countWrong(id: string): void {
    const held = this.#held.get(id)
    if (!held) return
    held.wrongTries += 1
    if (held.wrongTries >= wrongTriesMax) this.#held.delete(id)
  }

  /** Keeps it for the one who has proven it. @returns who made it; undefined when somebody else was faster */
  take(id: string): string | undefined {
    const held = this.#held.get(id)
    if (!held || held.isTaken) return undefined
    held.isTaken = true
    return held.by
  }

  /** What became of the one who took it: in (then the code is used up), or not. */
  settle(id: string, isIn: boolean): void {
    const held = this.#held.get(id)
    if (isIn) this.#held.delete(id)
    else if (held) held.isTaken = false
  }

  /** Takes one back. @returns false when there is none of this id */
  drop(id: string): boolean {
    return this.#held.delete(id)
  }

  /** Forgets those that are over. @returns whether there were any */
  sweep(): boolean {
    const over = [...this.#held.values()].filter(held => held.endsAtMs <= this.#now() && !held.isTaken)
    for (const { id } of over) this.#held.delete(id)
    return over.length > 0
  }
}
