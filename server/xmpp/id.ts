/** RFC 9562 section 5.7: UUIDv7, the ids of messages. They sort by time, as text too. Clock and random numbers come from the caller. */

/** Gives fresh random bytes. */
export type RandomSource = (bytes: number) => Uint8Array

/** Makes ids; each is greater than the one before, also when the clock stands still or goes back. */
export interface Ids {
  /** A new UUIDv7, 36 characters, lower case. */
  next(): string
}

const RANDOM_BYTES_AT_ONCE = 8192
const COUNTER_MAX = 0xfff
const VARIANT = ['8', '9', 'a', 'b']

/**
 * Makes a source of UUIDv7: 48 bits of time, a counter in rand_a (RFC 9562 section 6.2, method 1), 62 random bits.
 * @param options.now milliseconds since 1970
 */
export function createIds({ now, random }: { now: () => number; random: RandomSource }): Ids {
  let lastMs = -1
  let counter = 0
  let prefix = ''
  let pool = ''
  let position = 0

  /** Takes the next step of time and counter; 4,096 ids a millisecond, then the time is taken from the future. */
  function advance(): void {
    const ms = Math.floor(now())
    if (ms > lastMs) startMillisecond(ms)
    else if (counter === COUNTER_MAX) startMillisecond(lastMs + 1)
    else counter++
  }

  function startMillisecond(ms: number): void {
    lastMs = ms
    counter = 0
    const time = ms.toString(16).padStart(12, '0')
    prefix = `${time.slice(0, 8)}-${time.slice(8)}-7`
  }

  return {
    next() {
      advance()
      if (position === pool.length) {
        pool = Buffer.from(random(RANDOM_BYTES_AT_ONCE)).toString('hex')
        position = 0
      }
      const start = position
      position += 16
      const variant = VARIANT[pool.charCodeAt(start) & 3]
      const middle = `${HEX3[counter]}-${variant}${pool.slice(start + 1, start + 4)}-`
      return prefix + middle + pool.slice(start + 4, start + 16)
    },
  }
}

const HEX3 = Array.from({ length: COUNTER_MAX + 1 }, (_, value) => value.toString(16).padStart(3, '0'))

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** Whether a text is a UUIDv7 as we write it. */
export function isId(text: string): boolean {
  return UUID_V7.test(text)
}

/** When an id was made, in milliseconds since 1970; undefined when it is no UUIDv7. */
export function timeOf(id: string): number | undefined {
  return isId(id) ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : undefined
}

/** The smallest id of a moment (milliseconds since 1970, clamped to what an id can hold): `id >= earliestIdAt(t)` means made at t or later. */
export function earliestIdAt(ms: number): string {
  const time = Math.min(Math.max(Math.floor(ms), 0), 0xffff_ffff_ffff)
    .toString(16)
    .padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`
}

/** A text of so many random bytes that nobody can guess, fit for XML, URLs and nonces (base64url). */
export function randomId(random: RandomSource, bytes = 16): string {
  return Buffer.from(random(bytes)).toString('base64url')
}
