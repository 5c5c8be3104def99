import { FarPresence } from './far-presence.ts'
import type { ServerParts } from './server.ts'

/**
 * Joins the parts of one node to the other nodes: who ends sessions here, what of the memory here is old, who is told when another node goes or comes.
 * @returns a function that ends it
 */
export function meetOthers(parts: ServerParts): () => void {
  const { accounts, db, everywhere, hints, log, sessions, settings } = parts
  const farPresence = new FarPresence(parts)
  const readSettings = (): Promise<void> =>
    settings.load().catch(error => log.warn({ err: error }, 'settings were not read again'))
  settings.onChanged = () => hints.tell('settings', 'all')
  accounts.onBarred = username => void sessions.endAllOf(username, 'removed')

  /** Somebody may have been removed or blocked while this node was cut off. */
  const endBarred = async (): Promise<void> => {
    const usernames = [...new Set([...sessions.all()].map(session => session.username))]
    if (usernames.length === 0 || db.state === 'away') return
    for (const username of await accounts.barredOf(usernames)) await sessions.endAllOf(username, 'removed')
  }
  const undo = [
    everywhere.serve(sessions),
    hints.add('settings', { outdated: readSettings, doubtAll: () => void readSettings() }),
    hints.add('sessions', {
      outdated: () => undefined,
      doubtAll: () =>
        void endBarred().catch(error => log.warn({ err: error }, 'sessions of removed people were not looked for')),
    }),
    () => farPresence.close(),
  ]
  return () => {
    for (const one of undo) one()
  }
}
