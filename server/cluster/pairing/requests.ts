/** PCs that show a code and wait until somebody here accepts or refuses them. */
import { randomUUID } from 'node:crypto'
import { neighbourOf } from '../../net/neighbour.ts'
import { type Applicant, JoinFault } from '../welcome.ts'
import type { Frames } from './frames.ts'

/** How long a code is shown on both screens. */
export const requestLifeMs = 10 * 60_000
const requestsMax = 8
/** Of one IPv6 /64, which is a whole network or one PC that picks addresses from it. */
const requestsOfNeighbourMax = 4
/** Lets the other PC notice at once that this one is gone. */
const aliveMs = 5_000

/** One of them, as the pages show it. */
export interface OpenRequest {
  readonly id: string
  readonly name: string
  readonly address: string
  readonly system: string
  readonly version: string
  /** '4827 · blue otter' */
  readonly code: string
  /** SHA-256 of its public key, AB:CD:… */
  readonly fingerprint: string
  readonly at: string
  readonly expiresAt: string
  /** What speaks against it, but does not prevent it. */
  readonly trouble?: string
}

interface Held {
  readonly shown: OpenRequest
  readonly applicant: Applicant
  readonly frames: Frames
  readonly endsAtMs: number
  isTaken: boolean
}

export interface RequestsOptions {
  /** What this PC is called. */
  readonly node: string
  readonly now: () => number
  readonly changed: () => void
}

export class Requests {
  readonly #options: RequestsOptions
  readonly #held = new Map<string, Held>()

  constructor(options: RequestsOptions) {
    this.#options = options
  }

  /** Oldest first. */
  get list(): readonly OpenRequest[] {
    return [...this.#held.values()].map(held => held.shown)
  }

  /** What speaks against one more from this address; undefined when there is room. */
  crowd(address: string, isSeveral: boolean): JoinFault | undefined {
    const open = [...this.#held.values()]
    const { node } = this.#options
    if (open.length >= requestsMax) {
      return new JoinFault('busy', `${open.length} PCs wait at ${node} already. Accept or refuse them there first.`)
    }
    const isSame = (held: Held): boolean => held.shown.address === address
    const near = open.filter(held => neighbourOf(held.shown.address) === neighbourOf(address))
    const other = open.find(isSame) ?? (near.length >= requestsOfNeighbourMax ? near[0] : undefined)
    if (isSeveral || !other) return undefined
    return new JoinFault(
      'busy',
      isSame(other)
        ? `${other.shown.name} at the same address waits at ${node} already. Answer it there first.`
        : `${near.length} PCs of the same network wait at ${node} already. Accept or refuse them there first.`,
    )
  }

  /** A PC that asks anew: what it asked before is over. */
  replace(applicantId: string, address: string): void {
    for (const held of [...this.#held.values()]) {
      if (held.applicant.id !== applicantId || held.shown.address !== address || held.isTaken) continue
      held.frames.refuse(new JoinFault('ended', 'This PC has asked anew.'))
    }
  }

  /** Shows one, until it is answered, gives up, or its time is over. */
  add(
    frames: Frames,
    applicant: Applicant,
    about: Omit<OpenRequest, 'id' | 'name' | 'system' | 'version' | 'at' | 'expiresAt'>,
  ): void {
    const now = this.#options.now()
    const id = randomUUID()
    const endsAtMs = now + requestLifeMs
    const { name, system, version } = applicant
    const expiresAt = new Date(endsAtMs).toISOString()
    const shown = { id, name, system, version, ...about, at: new Date(now).toISOString(), expiresAt }
    this.#held.set(id, { shown, applicant, frames, endsAtMs, isTaken: false })
    frames.send({ type: 'waiting', expiresInMs: requestLifeMs })
    frames.keepAlive(aliveMs)
    frames.onEnd(() => {
      this.#held.delete(id)
      this.#options.changed()
    })
    this.#options.changed()
  }

  /** Takes one for good, to be let in. @throws JoinFault when it is over */
  take(id: string): { readonly frames: Frames; readonly applicant: Applicant; readonly address: string } {
    this.sweep()
    const held = this.#held.get(id)
    if (!held) throw new JoinFault('ended', 'That PC has given up or waited too long. Start again there.')
    if (held.isTaken) throw new JoinFault('busy', `${held.shown.name} is being let in already.`)
    held.isTaken = true
    return { frames: held.frames, applicant: held.applicant, address: held.shown.address }
  }

  /** Tells one that it may not. @returns false when it is over */
  refuse(id: string): boolean {
    const held = this.#held.get(id)
    if (!held || held.isTaken) return false
    held.frames.refuse(new JoinFault('refused', `Somebody at ${this.#options.node} refused this PC.`))
    return true
  }

  /** Ends those that waited too long. */
  sweep(): void {
    const { now, node } = this.#options
    for (const held of [...this.#held.values()]) {
      if (held.isTaken || held.endsAtMs > now()) continue
      held.frames.refuse(new JoinFault('expired', `Nobody at ${node} answered within ten minutes. Try again.`))
    }
  }
}
