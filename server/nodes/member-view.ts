/** Whom the Hazelcast member of this PC sees, and whom it should see and does not: one cluster that has become two is told of, one in which somebody is just joining is not. */
import { minorOf } from '../cluster/hazelcast/java.ts'
import type { NodeStatus } from './status.ts'

/** Starting takes some seconds; two halves find each other again half a minute after the cable is plugged in. */
const PATIENCE_MS = 60_000

/** What is known of one PC and its member. */
export interface MemberFacts {
  readonly number: number
  readonly name: string
  readonly isReachable: boolean
  /** What it says of itself. */
  readonly member: NodeStatus['member'] | undefined
  readonly hazelcast: string | undefined
}

export class MemberView {
  /** Since when each is missing, milliseconds since 1970. */
  readonly #since = new Map<string, number>()

  /**
   * @param own this PC as it is, and the numbers of the nodes whose members it sees
   * @param others every other PC of the office
   */
  look(
    own: MemberFacts & { readonly seen: readonly number[] },
    others: readonly MemberFacts[],
    now: number,
  ): Pick<NodeStatus, 'members' | 'membersMissing'> {
    const meets = (one: MemberFacts): boolean => one.isReachable && runs(one) && generation(one) === generation(own)
    const missing = runs(own) ? others.filter(one => meets(one) && !own.seen.includes(one.number)) : []
    for (const name of this.#since.keys()) if (!missing.some(one => one.name === name)) this.#since.delete(name)
    for (const { name } of missing) if (!this.#since.has(name)) this.#since.set(name, now)
    if (!runs(own)) return {}
    const lost = missing.filter(({ name }) => now - (this.#since.get(name) ?? now) >= PATIENCE_MS)
    return {
      members: [own, ...others].filter(({ number }) => own.seen.includes(number)).map(({ name }) => name),
      ...(lost.length > 0 && { membersMissing: lost.map(({ name }) => name) }),
    }
  }
}

const runs = ({ member }: MemberFacts): boolean => member === 'member' || member === 'apart'
/** Those of different ones never meet, which is told in another way. */
const generation = ({ hazelcast }: MemberFacts): string => minorOf(hazelcast ?? '')
