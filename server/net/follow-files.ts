/** Files of somebody else (a certificate that another program renews) that must be read again when they change. */
import { statSync } from 'node:fs'

/**
 * Calls `changed` after one of the files has changed and then all were quiet for one look: several that change shortly
 * after each other are one change. They are looked at instead of listened to, which also works on network drives and when
 * a file is replaced.
 * @param everyMs how often they are looked at
 * @returns the function that ends it
 */
export function followFiles(files: readonly string[], changed: () => void, everyMs = 10_000): () => void {
  let last = signature(files)
  let isMoving = false
  const timer = setInterval(() => {
    const now = signature(files)
    if (now !== last) isMoving = true
    else if (isMoving) {
      isMoving = false
      changed()
    }
    last = now
  }, everyMs)
  timer.unref()
  return () => clearInterval(timer)
}

/** What tells one state of the files from another: identity, size and time of each, or why it cannot be told. */
function signature(files: readonly string[]): string {
  return files.map(stateOf).join('\n')
}

function stateOf(file: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(file)
    return `${ino} ${size} ${mtimeMs}`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
