/** One shell for each person and profile: a second start shows the window of the first. */
import { app } from 'electron'

/**
 * Whether this is the first one; a second one has nothing more to do.
 * @param onSecond a second one was started, and wants to be seen
 */
export function isFirstInstance(onSecond: () => void): boolean {
  if (!app.requestSingleInstanceLock()) return false
  app.on('second-instance', (_event, argv) => {
    // Chromium hands its arguments over in another order: only those that stand alone can be told.
    if (!argv.includes('--hidden')) onSecond()
  })
  return true
}
