/** One shell for each person and profile: a second start shows the window of the first. */
import { app } from 'electron'
import { parseArguments } from './args.ts'

/**
 * Whether this is the first one; a second one has nothing more to do.
 * @param onSecond a second one was started, and wants to be seen
 */
export function isFirstInstance(onSecond: () => void): boolean {
  if (!app.requestSingleInstanceLock()) return false
  app.on('second-instance', (_event, argv, cwd) => {
    const asked = parseArguments(argv, cwd)
    if ('fault' in asked || !asked.isHidden) onSecond()
  })
  return true
}
