/** Waits for something, but not for ever: calls to a Hazelcast client may hang for as long as a member is frozen. */

/** @throws Error `late` when it took longer; what comes after that is ignored */
export async function within<T>(promise: Promise<T>, limitMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${limitMs} ms`)), limitMs)
  })
  promise.catch(() => undefined) // told through the race, or too late
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
