/** Who is connected right now, with what, from where. */
import { type Static, Type } from 'typebox'
import { endpoint, limits, Moment } from './endpoint.ts'

/** One connected device. */
export const Connection = Type.Object(
  {
    jid: Type.String({ description: 'The full JID.' }),
    username: Type.String(),
    name: Type.String({ description: 'The person’s name.' }),
    client: Type.Union([Type.String(), Type.Null()], { description: '“Gajim 1.9”; null when the app does not tell.' }),
    address: Type.String({ description: 'IP address it comes from.' }),
    transport: Type.Union([Type.Literal('tcp'), Type.Literal('tls'), Type.Literal('websocket'), Type.Literal('bosh')]),
    encrypted: Type.Boolean(),
    since: Moment,
    presence: Type.Union([
      Type.Literal('available'),
      Type.Literal('chat'),
      Type.Literal('away'),
      Type.Literal('xa'),
      Type.Literal('dnd'),
      Type.Literal('none'),
    ]),
    streamManagement: Type.Union([Type.Literal('none'), Type.Literal('on'), Type.Literal('resumable')]),
    resting: Type.Boolean({ description: 'The socket is gone; the session waits to be resumed.' }),
    idleSeconds: Type.Integer({ minimum: 0, description: 'Since the last stanza from the device.' }),
    pc: Type.String({ description: 'Name of the PC it is connected to.' }),
  },
  { additionalProperties: false },
)
/** Static of {@link Connection}. */
export type Connection = Static<typeof Connection>

/** GET: the connections of the whole office, of one person with `username`. */
export const listConnections = endpoint({
  method: 'GET',
  path: '/api/connections',
  access: 'admin',
  summary: 'Who is connected',
  query: Type.Object(
    {
      username: Type.Optional(Type.String({ maxLength: 1023 })),
      search: Type.Optional(Type.String({ maxLength: limits.searchText, description: 'In name, address and app.' })),
      offset: Type.Optional(Type.Integer({ minimum: 0, default: 0 })),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.pageOf, default: 100 })),
    },
    { additionalProperties: false },
  ),
  reply: Type.Object(
    { connections: Type.Array(Connection, { maxItems: limits.pageOf }), total: Type.Integer({ minimum: 0 }) },
    { additionalProperties: false },
  ),
})

/** POST: ends one connection; the device may connect again at once. */
export const endConnection = endpoint({
  method: 'POST',
  path: '/api/connections/end',
  access: 'admin',
  summary: 'Ends a connection',
  body: Type.Object({ jid: Type.String({ minLength: 1, maxLength: 3071 }) }, { additionalProperties: false }),
})
