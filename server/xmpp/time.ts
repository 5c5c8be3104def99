/** XEP-0082: XMPP date and time profiles. Times are milliseconds since 1970 (UTC). */

const DATE_TIME = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))$/

/** A moment as text in UTC, to the millisecond: 2002-09-10T23:08:25.000Z (XEP-0082 section 3.2). @throws RangeError beyond the year 9999 */
export function printDateTime(ms: number): string {
  const text = new Date(ms).toISOString()
  if (text.length !== 24) throw new RangeError(`${ms} ms is not a moment of the years 0 to 9999.`)
  return text
}

/** Reads a DateTime with any zone; parts of a millisecond are cut off. undefined when it is none, or no real date (XEP-0082 section 3.2). */
export function parseDateTime(text: string): number | undefined {
  const match = DATE_TIME.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second, fraction = '', sign, zoneHour = '0', zoneMinute = '0'] = match
  const local = new Date(0)
  local.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  // Days such as 31 February roll over; hours and minutes are bounded below.
  if (local.getUTCDate() !== Number(day) || local.getUTCMonth() !== Number(month) - 1) return undefined
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined
  if (Number(zoneHour) > 14 || Number(zoneMinute) > 59) return undefined
  local.setUTCHours(Number(hour), Number(minute), Number(second), Number(fraction.slice(0, 3).padEnd(3, '0')))
  const zoneMs = (Number(zoneHour) * 60 + Number(zoneMinute)) * 60_000
  return local.getTime() + (sign === '-' ? zoneMs : -zoneMs)
}
