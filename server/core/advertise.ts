import type { IqTarget } from './iq.ts'

/** What a part of the server says of itself in service discovery (XEP-0030 §3). */
export interface Advertisement {
  readonly features?: readonly string[]
  readonly identities?: readonly { readonly category: string; readonly type: string; readonly name?: string }[]
}

/** All advertisements, per target. */
export class AdvertisementTable {
  readonly #entries: Record<IqTarget, Set<Advertisement>> = { account: new Set(), host: new Set() }

  /** @returns a function that removes it */
  add(target: IqTarget, advertisement: Advertisement): () => void {
    this.#entries[target].add(advertisement)
    return () => {
      this.#entries[target].delete(advertisement)
    }
  }

  /** All features (sorted, each once) and identities of a target. */
  of(target: IqTarget): { features: string[]; identities: NonNullable<Advertisement['identities']> } {
    const all = [...this.#entries[target]]
    return {
      features: [...new Set(all.flatMap(one => one.features ?? []))].sort(),
      identities: all.flatMap(one => one.identities ?? []),
    }
  }
}
