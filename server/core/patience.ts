import { StanzaError } from '../xmpp/errors.ts'

/**
 * How long handling one stanza may wait for something of the database that is usually in memory, in milliseconds. The
 * later stanzas of the same sender wait behind it, also those to people for whom nothing of the database is needed.
 */
export const PATIENCE_MS = 750

/** How the database is asked while something waits for the answer, when asking twice does no harm: so long for a failover to be over. */
export const forStanza = { repeat: true, waitMs: PATIENCE_MS } as const

/**
 * The result if it comes in time. What is waited for goes on all the same.
 * @throws StanzaError `wait` when it does not
 */
export async function withinTime<T>(found: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const text = 'The database does not answer. Please try again in a moment.'
    timer = setTimeout(() => reject(new StanzaError('wait', 'internal-server-error', text)), limitMs)
  })
  try {
    return await Promise.race([found, late])
  } finally {
    clearTimeout(timer)
  }
}
