/** Numbers, sizes and times in the reader's language. */

/** A number with its thousands apart. */
export function count(n: number, language: string): string {
  return new Intl.NumberFormat(language).format(n)
}

/** Names in a row: `FRONT-DESK, BACK-OFFICE and LIBRARY`. */
export function listed(names: readonly string[], language: string): string {
  return new Intl.ListFormat(language).format(names)
}

/** What is left of a quarter of an hour: `14:32`; never less than nothing. */
export function minutesLeft(until: string, now: number): string {
  const seconds = Math.max(0, Math.ceil((Date.parse(until) - now) / 1000))
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

const steps = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const

/** Bytes as people say them, in steps of 1000 as disks are sold: `1.2 GB`. */
export function bytes(n: number, language: string): string {
  const step = Math.min(steps.length - 1, n < 1000 ? 0 : Math.floor(Math.log10(n) / 3))
  const value = n / 1000 ** step
  return new Intl.NumberFormat(language, {
    style: 'unit',
    unit: steps[step] ?? 'byte',
    unitDisplay: step === 0 ? 'long' : 'short',
    maximumFractionDigits: value < 10 && step > 0 ? 1 : 0,
  }).format(value)
}

/** Milliseconds as people say them: `3 ms`, `1.4 s`. */
export function milliseconds(n: number, language: string): string {
  const long = n >= 1000
  return new Intl.NumberFormat(language, {
    style: 'unit',
    unit: long ? 'second' : 'millisecond',
    maximumFractionDigits: n < 10 || long ? 1 : 0,
  }).format(long ? n / 1000 : n)
}

const spans = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
] as const

/** How long ago a moment was: `3 minutes ago`; anything under a minute is `justNow`. */
export function ago(moment: string, now: number, language: string, justNow: string): string {
  const seconds = Math.max(0, (now - Date.parse(moment)) / 1000)
  const span = spans.find(([, length]) => seconds >= length)
  if (!span) return justNow
  const [unit, length] = span
  return new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(-Math.floor(seconds / length), unit)
}

/** A length of time in its largest unit: `4 hours`. */
export function lasting(seconds: number, language: string): string {
  const [unit, length] = spans.find(([, span]) => seconds >= span) ?? (['second', 1] as const)
  return new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long' }).format(
    Math.floor(seconds / length),
  )
}

/** A moment as short as it can be: the time today, the weekday within a week, else the date. */
export function moment(iso: string, now: number, language: string): string {
  const date = new Date(iso)
  const today = new Date(now)
  const days = (now - date.getTime()) / 86_400_000
  const options: Intl.DateTimeFormatOptions =
    date.toDateString() === today.toDateString()
      ? { hour: '2-digit', minute: '2-digit' }
      : days >= 0 && days < 6
        ? { weekday: 'short' }
        : { day: 'numeric', month: 'short' }
  return new Intl.DateTimeFormat(language, options).format(date)
}

/** A moment in full, for tooltips and sheets. */
export function fullMoment(iso: string, language: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: 'long', timeStyle: 'short' }).format(new Date(iso))
}

/** A day in full: `22 November 2026`. */
export function day(iso: string, language: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: 'long' }).format(new Date(iso))
}

/** The time to the second, for the log. */
export function clockTime(iso: string, language: string): string {
  return new Intl.DateTimeFormat(language, { hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(
    new Date(iso),
  )
}
