/** The time, for “3 minutes ago”: moves every half minute. */
const clock = $state({ now: Date.now() })
setInterval(() => {
  clock.now = Date.now()
}, 30_000)

/** Milliseconds since 1970; reactive, up to half a minute old. */
export function now(): number {
  return clock.now
}
