/** Looks at somebody else's PostgreSQL servers before they are used. */
import type { Inspection } from './inspection.ts'
import { DatabaseUrlFault, parseDatabaseUrl } from './url.ts'

/** Tries the text of a URL. Never throws for what people can mend. */
export async function tryDatabase(text: string): Promise<Inspection> {
  try {
    parseDatabaseUrl(text)
    return { state: 'ok', sentence: 'It can be read.', hosts: [], findings: [] }
  } catch (error) {
    if (!(error instanceof DatabaseUrlFault)) throw error
    return { state: 'bad', sentence: error.message, hosts: [], findings: [] }
  }
}
