/** The log of this PC and the history of the office. */
import { type Static, Type } from 'typebox'
import { endpoint, limits, Moment } from './endpoint.ts'

/** How much a log line matters; a filter by level shows that level and above. */
export const LogLevel = Type.Union([
  Type.Literal('debug'),
  Type.Literal('info'),
  Type.Literal('warn'),
  Type.Literal('error'),
])
/** Static of {@link LogLevel}. */
export type LogLevel = Static<typeof LogLevel>

/** One line of the log. */
export const LogEntry = Type.Object(
  {
    id: Type.Integer({ minimum: 0, description: 'Grows by one a line; starts again when the server starts.' }),
    at: Moment,
    level: LogLevel,
    message: Type.String(),
    fields: Type.Record(Type.String(), Type.Unknown(), { description: 'jid, node, … without secrets.' }),
    pc: Type.String(),
  },
  { additionalProperties: false },
)
/** Static of {@link LogEntry}. */
export type LogEntry = Static<typeof LogEntry>

const logFilter = {
  level: Type.Optional(LogLevel),
  text: Type.Optional(
    Type.String({ maxLength: limits.searchText, description: 'In message and fields, case ignored.' }),
  ),
}

/** GET: the last lines, oldest first. */
export const listLog = endpoint({
  method: 'GET',
  path: '/api/log',
  access: 'admin',
  summary: 'The last lines of the log',
  query: Type.Object(
    { ...logFilter, limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 200 })) },
    { additionalProperties: false },
  ),
  reply: Type.Object({ entries: Type.Array(LogEntry, { maxItems: 1000 }) }, { additionalProperties: false }),
})

/** GET, SSE: the lines after `after` and then each new one as an event named `log` whose data is a {@link LogEntry}; `id:` is its id. */
export const followLog = endpoint({
  method: 'GET',
  path: '/api/log/live',
  access: 'admin',
  summary: 'New lines of the log as they are written',
  query: Type.Object(
    { ...logFilter, after: Type.Optional(Type.Integer({ minimum: 0 })) },
    { additionalProperties: false },
  ),
  produces: 'text/event-stream',
})

/** One entry of the history: who did what. */
export const HistoryEntry = Type.Object(
  {
    id: Type.String(),
    at: Moment,
    by: Type.String({ description: 'Name of the person, of the token, or “Lanthorn” for what happened by itself.' }),
    kind: Type.Union([
      Type.Literal('person'),
      Type.Literal('setting'),
      Type.Literal('sign-in'),
      Type.Literal('connection'),
      Type.Literal('office'),
      Type.Literal('pc'),
      Type.Literal('token'),
    ]),
    sentence: Type.String({ description: '“Added Ben Hall (ben@acme.example).”' }),
    address: Type.Optional(Type.String({ description: 'IP address it was done from.' })),
    change: Type.Optional(
      Type.String({ description: 'Id of the change of a setting, when it can still be taken back.' }),
    ),
  },
  { additionalProperties: false },
)
/** Static of {@link HistoryEntry}. */
export type HistoryEntry = Static<typeof HistoryEntry>

/** GET: the history, newest first; `before` is the id of the last entry of the page before. */
export const listHistory = endpoint({
  method: 'GET',
  path: '/api/history',
  access: 'admin',
  summary: 'Who did what',
  query: Type.Object(
    {
      text: Type.Optional(Type.String({ maxLength: limits.searchText })),
      before: Type.Optional(Type.String({ maxLength: 64 })),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.pageOf, default: 50 })),
    },
    { additionalProperties: false },
  ),
  reply: Type.Object(
    { entries: Type.Array(HistoryEntry, { maxItems: limits.pageOf }), more: Type.Boolean() },
    { additionalProperties: false },
  ),
})
