/** The hours in which PCs are updated by themselves, on the clock of each. Pure: the clock is passed in. */

const HOURS = 3

/** Whether it is night now. @param hour the first hour of it @param now milliseconds since 1970 */
export function isNight(hour: number, now: number): boolean {
  return (new Date(now).getHours() - hour + 24) % 24 < HOURS
}

/** When the next night begins; the present one when it has begun. */
export function nextNight(hour: number, now: number): Date {
  const today = new Date(now)
  const at = (day: number): Date => new Date(today.getFullYear(), today.getMonth(), today.getDate() + day, hour)
  const days = [-1, 0, 1].map(at)
  return days.find(night => night.getTime() + HOURS * 60 * 60_000 > now) ?? at(1)
}
