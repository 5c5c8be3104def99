/** Long work in the running server, looked at from the terminal until it is over. */
import { setTimeout } from 'node:timers/promises'
import { CallFault } from './client.ts'

const LOOK_EVERY_MS = 1_000
/** A server that is busy switching may miss some looks. */
const FAULTS_MAX = 30
/** A week. */
const LOOKS_MAX = 7 * 24 * 60 * 60

/**
 * Looks again and again until the work is over, and prints each new sentence about it.
 * @param look asks the server
 * @returns what the last look gave
 * @throws CallFault when the server does not answer for half a minute
 */
export async function follow<T>(
  look: () => Promise<T>,
  options: { isOver: (now: T) => boolean; sentenceOf: (now: T) => string; print: (text: string) => void },
): Promise<T> {
  let printed = ''
  let faults = 0
  for (let looks = 0; looks < LOOKS_MAX; looks++) {
    const now = await attempt(look)
    if (now instanceof CallFault) {
      if (++faults > FAULTS_MAX) throw now
    } else {
      faults = 0
      if (options.isOver(now)) return now
      const sentence = options.sentenceOf(now)
      if (sentence !== printed) options.print(sentence)
      printed = sentence
    }
    await setTimeout(LOOK_EVERY_MS)
  }
  throw new CallFault('This takes longer than a week: it goes on, but nobody waits here any more.')
}

async function attempt<T>(look: () => Promise<T>): Promise<T | CallFault> {
  try {
    return await look()
  } catch (error) {
    if (error instanceof CallFault) return error
    throw error
  }
}
