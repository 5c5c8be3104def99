/** Which backups stay: the newest proven one of each of the last days, weeks and months; the newest one where none is proven. */

/** How many are kept of each. */
export interface Keeping {
  readonly daily: number
  readonly weekly: number
  readonly monthly: number
}

/** Nothing of the last day goes, so that one made before a risky change is still there after the next; but not without end. */
const YOUNG_MS = 24 * 60 * 60_000
const YOUNG_MAX = 24

/**
 * Chooses what may be removed. The newest proven one always stays.
 * @param backups in any order
 * @param now milliseconds since 1970
 * @returns the names of those that may go, oldest first
 */
export function dispensable(
  backups: readonly { readonly name: string; readonly madeAt: Date; readonly isProven: boolean }[],
  keeping: Keeping,
  now: number,
): string[] {
  const newestFirst = backups.toSorted((a, b) => b.madeAt.getTime() - a.madeAt.getTime())
  const kept = new Set<string>()
  const keepNewestOf = (count: number, period: (date: Date) => string): void => {
    const newest = new Map<string, (typeof newestFirst)[number]>()
    for (const backup of newestFirst) {
      const key = period(backup.madeAt)
      const known = newest.get(key)
      if (known ? !known.isProven && backup.isProven : newest.size < count) newest.set(key, backup)
    }
    for (const { name } of newest.values()) kept.add(name)
  }
  keepNewestOf(keeping.daily, dayOf)
  keepNewestOf(keeping.weekly, weekOf)
  keepNewestOf(keeping.monthly, date => dayOf(date).slice(0, 7))
  const young = newestFirst.filter(({ madeAt }) => now - madeAt.getTime() < YOUNG_MS)
  for (const { name } of young.slice(0, YOUNG_MAX)) kept.add(name)
  const proven = newestFirst.find(({ isProven }) => isProven)
  if (proven) kept.add(proven.name)
  return newestFirst.flatMap(({ name }) => (kept.has(name) ? [] : name)).reverse()
}

/** The day on this PC's calendar: “2026-11-22”. */
export function dayOf(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

/** The Monday of its week. */
function weekOf(date: Date): string {
  return dayOf(new Date(date.getFullYear(), date.getMonth(), date.getDate() - ((date.getDay() + 6) % 7)))
}
