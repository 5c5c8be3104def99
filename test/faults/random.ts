/** Chance that can be repeated: the seed is printed, and FAULT_SEED gives it again. */

export interface Chance {
  readonly seed: number
  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number
  /** True in `percent` of 100 cases. */
  isOnce(percent: number): boolean
}

/** The faults of a run take minutes: a usual one plays some of all variants, by chance; FAULT_THOROUGH=1 plays all. */
export const isThorough = process.env.FAULT_THOROUGH === '1'

/** `count` of these, by chance, in their order; all of them in a thorough run. */
export function some<T>(all: readonly T[], count: number, luck: Chance): T[] {
  if (isThorough) return [...all]
  const left = all.map((one, index) => ({ one, index, rank: luck.between(0, 1_000_000) }))
  const chosen = left.sort((a, b) => a.rank - b.rank).slice(0, count)
  return chosen.sort((a, b) => a.index - b.index).map(({ one }) => one)
}

/** Mulberry32 with the seed of the environment, or a new one. */
export function chance(seed = Number(process.env.FAULT_SEED) || Date.now() % 1_000_000_007): Chance {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const between = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1))
  return { seed, between, isOnce: percent => between(1, 100) <= percent }
}
