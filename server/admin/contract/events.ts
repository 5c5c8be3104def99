/** What the server tells open pages by itself, as server-sent events: the event's name is `type`, its data the rest as JSON. */
import { type Static, Type } from 'typebox'
import { BackupJob } from './backups.ts'
import { DatabaseMove } from './database.ts'
import { endpoint, Wellness } from './endpoint.ts'
import { Happening } from './happening.ts'
import { JoinRequest, requestsShownMax } from './nodes.ts'
import { Figures } from './office.ts'

/** One schema per event type. A page that gets an event it shows by a list asks for the list again. */
export const events = {
  /** At most once a second, and only when a figure changed. */
  figures: Figures,
  /** The state of the office changed; Home and Health ask again. */
  state: Type.Object({ state: Wellness, headline: Type.String(), sentence: Type.String() }),
  /** Something happened that Home shows. */
  happened: Happening,
  /** A move of the data went on; at most twice a second, and at its end. */
  move: DatabaseMove,
  /** The main database moved, a host came or went: the Database page asks again. */
  database: Type.Object({}),
  /** A backup, proof or restore went on; at most twice a second, and at its end. */
  backup: BackupJob,
  /** Someone was added, changed, removed, came or went; at most once a second. */
  people: Type.Object({}),
  /** A device connected or went; at most once a second. */
  connections: Type.Object({}),
  /** A PC, a link, a join code or a join request changed: pages about PCs ask again. At most twice a second. */
  nodes: Type.Object({}),
  /** The PCs that want to join now, after one came or was answered; empty when none waits any more. */
  'join-request': Type.Object({ requests: Type.Array(JoinRequest, { maxItems: requestsShownMax }) }),
  /** What the tray shows is another thing: it asks again. Looked at twice a second; told once, too, when somebody begins to follow. */
  desktop: Type.Object({}),
  /** Something about updates changed: their page asks again. At most twice a second. */
  updates: Type.Object({}),
  /** A setting has a new value. */
  setting: Type.Object({ key: Type.String(), by: Type.String() }),
  /** The session of this page has ended. */
  'signed-out': Type.Object({}),
} as const

/** Names of the events. */
export type EventType = keyof typeof events
/** The data of one event. */
export type EventData<T extends EventType> = Static<(typeof events)[T]>

/** GET, SSE: one stream per page; a comment line every 15 s keeps it alive. A slow reader is cut off and connects again. */
export const followEvents = endpoint({
  method: 'GET',
  path: '/api/events',
  access: 'admin',
  summary: 'What changes, as it changes',
  produces: 'text/event-stream',
})
