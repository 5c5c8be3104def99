/** Where the office's data is: built in or the office's own PostgreSQL servers; trying them, and moving everything there and back. */
import { type Static, Type } from 'typebox'
import { endpoint, Moment, Wellness } from './endpoint.ts'
import { Snippets } from './snippets.ts'

/** `embedded` or a database URL in any of the spellings that are read. */
export const DatabaseUrl = Type.String({ minLength: 1, maxLength: 4000 })

/** One host as it was found. */
export const DatabaseHost = Type.Object(
  {
    host: Type.String({ description: 'Host and port.' }),
    state: Wellness,
    sentence: Type.String(),
    role: Type.Optional(Type.Union([Type.Literal('main'), Type.Literal('copy')])),
    version: Type.Optional(Type.String({ description: '“17.2”.' })),
    systemId: Type.Optional(Type.String()),
    timeline: Type.Optional(Type.Integer()),
    lagMs: Type.Optional(Type.Number({ description: 'How far a copy is behind.' })),
    replication: Type.Optional(
      Type.Union([Type.Literal('asynchronous'), Type.Literal('synchronous'), Type.Literal('applied')]),
    ),
    isFollowing: Type.Optional(Type.Boolean()),
    mayCreate: Type.Optional(Type.Boolean()),
    maySeeReplication: Type.Optional(Type.Boolean()),
    tls: Type.Optional(Type.String({ description: '“TLSv1.3” or “none”.' })),
    roundTripMs: Type.Optional(Type.Number()),
    freeConnections: Type.Optional(Type.Integer()),
    clockAheadMs: Type.Optional(Type.Number()),
  },
  { additionalProperties: false },
)
/** Static of {@link DatabaseHost}. */
export type DatabaseHost = Static<typeof DatabaseHost>

/** What is worth knowing about all hosts together. */
export const DatabaseFinding = Type.Object(
  { id: Type.String(), state: Wellness, sentence: Type.String(), advice: Type.Optional(Type.String()) },
  { additionalProperties: false },
)

/** The result of looking at every host of a URL. */
export const DatabaseInspection = Type.Object(
  {
    state: Wellness,
    sentence: Type.String(),
    hosts: Type.Array(DatabaseHost, { maxItems: 16 }),
    findings: Type.Array(DatabaseFinding, { maxItems: 32 }),
    spellings: Type.Optional(
      Type.Object(
        { libpq: Type.String(), jdbc: Type.String(), npgsql: Type.String(), keywords: Type.String() },
        { additionalProperties: false, description: 'The same in four spellings, with the password.' },
      ),
    ),
    at: Type.Optional(
      Type.Integer({ minimum: 0, description: 'The URL could not be read from here on: offset in the text as given.' }),
    ),
  },
  { additionalProperties: false },
)
/** Static of {@link DatabaseInspection}. */
export type DatabaseInspection = Static<typeof DatabaseInspection>

/** One table on its way. */
const MoveTable = Type.Object(
  {
    table: Type.String(),
    rows: Type.Integer({ description: 'In the old database when the move began (estimated until it is copied).' }),
    done: Type.Integer(),
    state: Type.Union([
      Type.Literal('waiting'),
      Type.Literal('copying'),
      Type.Literal('comparing'),
      Type.Literal('done'),
    ]),
  },
  { additionalProperties: false },
)

/**
 * A move of all data. `copying` may be cancelled; `stopped` (failed, cancelled or interrupted) may be resumed or forgotten;
 * `switched` is over: the old database is kept until it is removed by hand.
 */
export const DatabaseMove = Type.Object(
  {
    state: Type.Union([
      Type.Literal('checking'),
      Type.Literal('copying'),
      Type.Literal('catching-up'),
      Type.Literal('switching'),
      Type.Literal('switched'),
      Type.Literal('stopped'),
    ]),
    from: Type.String({ description: 'Place without user and password; “built in” for the embedded one.' }),
    to: Type.String(),
    sentence: Type.String({ description: '“Copied 61,200 of 102,000 messages.”' }),
    problem: Type.Optional(Type.String({ description: 'Why it stopped, if it did not because somebody said so.' })),
    percent: Type.Number({ minimum: 0, maximum: 100 }),
    secondsLeft: Type.Optional(Type.Number()),
    tables: Type.Array(MoveTable, { maxItems: 100 }),
    startedAt: Moment,
    endedAt: Type.Optional(Moment),
    pauseMs: Type.Optional(Type.Number({ description: 'How long changes had to wait while switching.' })),
  },
  { additionalProperties: false },
)
/** Static of {@link DatabaseMove}. */
export type DatabaseMove = Static<typeof DatabaseMove>

/** What the Database page shows. */
export const DatabaseStatus = Type.Object(
  {
    kind: Type.Union([Type.Literal('embedded'), Type.Literal('outside')]),
    state: Wellness,
    sentence: Type.String({ description: '“The built-in database answers at once.”' }),
    url: Type.String({ description: '“embedded”, or the URL with •••• for the password.' }),
    bytes: Type.Optional(Type.Integer({ description: 'What the data takes; absent while the database is away.' })),
    version: Type.Optional(Type.String()),
    hosts: Type.Array(DatabaseHost, { maxItems: 16, description: 'Outside: the last look at each.' }),
    replication: Type.Object(
      {
        kind: Type.Union([
          Type.Literal('none'),
          Type.Literal('asynchronous'),
          Type.Literal('synchronous'),
          Type.Literal('applied'),
          Type.Literal('unknown'),
        ]),
        sentence: Type.String({ description: 'What it means for this office.' }),
      },
      { additionalProperties: false },
    ),
    changes: Type.Array(
      Type.Object(
        { at: Moment, sentence: Type.String({ description: '“The main database moved from a to b in 2.3 s …”' }) },
        { additionalProperties: false },
      ),
      { maxItems: 20, description: 'Newest first.' },
    ),
    move: Type.Optional(DatabaseMove),
    old: Type.Array(
      Type.Object(
        { id: Type.String(), place: Type.String(), keptSince: Moment, bytes: Type.Optional(Type.Integer()) },
        { additionalProperties: false },
      ),
      { maxItems: 20, description: 'Databases that were moved away from or replaced, and are still kept.' },
    ),
  },
  { additionalProperties: false },
)
/** Static of {@link DatabaseStatus}. */
export type DatabaseStatus = Static<typeof DatabaseStatus>

/** GET: where the data is and how that is. */
export const getDatabase = endpoint({
  method: 'GET',
  path: '/api/database',
  access: 'admin',
  summary: 'Where the data is, how the servers are, what moves',
  reply: DatabaseStatus,
})

/** POST: looks at every host of a URL; nothing is changed (≤ 10 s). */
export const testDatabase = endpoint({
  method: 'POST',
  path: '/api/database/test',
  access: 'admin',
  summary: 'Tries the PostgreSQL servers of a URL',
  body: Type.Object({ url: DatabaseUrl }, { additionalProperties: false }),
  reply: DatabaseInspection,
})

/** POST: begins to move all data; refused with a sentence when the target cannot take it. Progress: event `move` and {@link getDatabase}. */
export const moveDatabase = endpoint({
  method: 'POST',
  path: '/api/database/move',
  access: 'admin',
  summary: 'Moves all data to another database, then uses that',
  body: Type.Object({ url: DatabaseUrl }, { additionalProperties: false }),
  reply: DatabaseMove,
})

/** POST: what to do with the move that runs or has stopped. */
export const steerMove = endpoint({
  method: 'POST',
  path: '/api/database/move/:action',
  access: 'admin',
  summary: 'Cancels (keeps what is copied), resumes or forgets a move',
  params: Type.Object(
    { action: Type.Union([Type.Literal('cancel'), Type.Literal('resume'), Type.Literal('forget')]) },
    { additionalProperties: false },
  ),
  reply: Type.Object({ move: Type.Optional(DatabaseMove) }, { additionalProperties: false }),
})

/** DELETE: removes a database that was kept after a move or a restore, for good. */
export const removeOldDatabase = endpoint({
  method: 'DELETE',
  path: '/api/database/old/:id',
  access: 'admin',
  summary: 'Removes a kept old database for good',
  params: Type.Object({ id: Type.String({ minLength: 1, maxLength: 200 }) }, { additionalProperties: false }),
})

/** GET: ready-made configuration for whoever sets the servers up, made for a URL’s hosts. */
export const listSnippets = endpoint({
  method: 'GET',
  path: '/api/database/snippets',
  access: 'admin',
  summary: 'Ready-made configuration: repmgr, HAProxy, PgBouncer, two servers in containers',
  reply: Snippets,
})
