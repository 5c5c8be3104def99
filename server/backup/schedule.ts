/** When the next backup is due: once a day; one that was missed is made up soon after the start. Pure: the clock is passed in. */

/** A PC that has just been switched on has other things to do first. */
const MAKE_UP_MS = 10 * 60_000
/** After a failure. */
const RETRY_MS = 60 * 60_000
/** The newest backup is proven again when its proof is older. */
export const PROVE_AGAIN_MS = 30 * 24 * 60 * 60_000

/** What the schedule depends on; times in milliseconds since 1970. */
export interface Situation {
  readonly now: number
  readonly isEnabled: boolean
  /** Time of day, “03:00”. */
  readonly time: string
  /** When this server was started. */
  readonly startedAt: number
  /** When the newest good backup was made. */
  readonly lastAt: number | undefined
  /** When the last try failed, if it did. */
  readonly failedAt: number | undefined
}

/** When a backup is to be made: now or before means at once. undefined: never, it is switched off. */
export function nextBackupAt(situation: Situation): number | undefined {
  const { now, isEnabled, startedAt, lastAt, failedAt } = situation
  if (!isEnabled) return undefined
  const [before, after] = momentsAround(now, situation.time)
  // A clock that was set back leaves backups of the future: they count as made now.
  if (lastAt !== undefined && lastAt >= before) return after
  const soonest = before >= startedAt ? before : startedAt + MAKE_UP_MS
  if (failedAt === undefined || failedAt < before) return soonest
  return Math.max(soonest, failedAt + RETRY_MS)
}

/** The last moment of this time of day that is not after `now`, and the first that is; on this PC's clock, summer time included. */
function momentsAround(now: number, time: string): [number, number] {
  const [hours = 3, minutes = 0] = time.split(':').map(Number)
  const today = new Date(now)
  const at = (day: number): number =>
    new Date(today.getFullYear(), today.getMonth(), today.getDate() + day, hours, minutes).getTime()
  return at(0) <= now ? [at(0), at(1)] : [at(-1), at(0)]
}
