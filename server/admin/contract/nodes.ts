/** The PCs of the office: who carries it, how they see each other, who wants in, and who shall go. Internally a PC is a node. */
import { type Static, Type } from 'typebox'
import { endpoint, Moment } from './endpoint.ts'
import { Happening } from './happening.ts'
import { Snippets } from './snippets.ts'

const name = Type.String({ minLength: 1, maxLength: 63 })
const strict = { additionalProperties: false }

/** `on` · `starting` · `paused` (taken out for maintenance, people were handed over) · `away` (the others have not heard of it for some seconds) · `off`. */
export const NodeState = Type.Union([
  Type.Literal('on'),
  Type.Literal('starting'),
  Type.Literal('paused'),
  Type.Literal('away'),
  Type.Literal('off'),
])
/** Static of {@link NodeState}. */
export type NodeState = Static<typeof NodeState>

/** How one PC sees another. */
export const NodeLink = Type.Object(
  {
    to: name,
    state: Type.Union([Type.Literal('good'), Type.Literal('slow'), Type.Literal('cut')], {
      description: 'good: round trip below 5 ms; slow: above; cut: no link.',
    }),
    roundTripMs: Type.Optional(Type.Number({ minimum: 0 })),
    trouble: Type.Optional(Type.String({ description: 'Why it is cut, as a sentence.' })),
  },
  strict,
)
/** Static of {@link NodeLink}. */
export type NodeLink = Static<typeof NodeLink>

/** One PC with everything its panel shows. What a PC that is off cannot tell is absent. */
export const Node = Type.Object(
  {
    number: Type.Integer({ minimum: 1 }),
    name,
    here: Type.Boolean({ description: 'This PC answers you.' }),
    state: NodeState,
    sentence: Type.String({
      description: 'How it is: “Works.”, “Is off since 10:04.”, “Runs an older version and is updated next.”',
    }),
    system: Type.Optional(Type.String({ description: '“Windows 11”' })),
    version: Type.Optional(Type.String()),
    upSince: Type.Optional(Moment),
    seenAt: Type.Optional(Moment),
    addresses: Type.Array(Type.Object({ interface: Type.String(), address: Type.String() }, strict), { maxItems: 64 }),
    people: Type.Integer({ minimum: 0, description: 'People connected to it.' }),
    connections: Type.Integer({ minimum: 0 }),
    routes: Type.Integer({ minimum: 0, description: 'Connected devices of the whole office that it knows of.' }),
    database: Type.Union([Type.Literal('main'), Type.Literal('outside'), Type.Literal('through')], {
      description:
        'main: the built-in database runs here; outside: it uses the office’s PostgreSQL servers; through: it reaches the main database over another PC.',
    }),
    databaseOf: Type.Optional(name),
    member: Type.Union([Type.Literal('member'), Type.Literal('starting'), Type.Literal('off'), Type.Literal('apart')], {
      description:
        'Its Hazelcast member. off: not needed or no Java; apart: another generation, over the links alone until all are updated.',
    }),
    hazelcast: Type.Optional(Type.String()),
    members: Type.Optional(
      Type.Array(name, { maxItems: 64, description: 'PCs whose Hazelcast members its own sees, itself among them.' }),
    ),
    membersMissing: Type.Optional(
      Type.Array(name, {
        maxItems: 64,
        description:
          'PCs that can be reached, and whose member runs, but which its own has not seen for a minute and more: the cluster is split.',
      }),
    ),
    cpuPercent: Type.Optional(Type.Number({ minimum: 0 })),
    memoryBytes: Type.Optional(Type.Number({ minimum: 0 })),
    diskFreeBytes: Type.Optional(Type.Number({ minimum: 0 })),
    diskBytes: Type.Optional(Type.Number({ minimum: 0 })),
    settings: Type.Union([Type.Literal('applied'), Type.Literal('away')], {
      description:
        'Whether it uses the settings of the office as they are now. None needs a restart of chat: what only a new start of the Hazelcast member brings starts that anew by itself.',
    }),
    links: Type.Array(NodeLink, { maxItems: 63 }),
    canRemove: Type.Boolean(),
    whyNotRemove: Type.Optional(Type.String()),
  },
  strict,
)
/** Static of {@link Node}. */
export type Node = Static<typeof Node>

/** A PC that wants to join and shows the same code. */
export const JoinRequest = Type.Object(
  {
    id: Type.String(),
    name,
    address: Type.String(),
    system: Type.String(),
    version: Type.String(),
    code: Type.String({ description: '“4827 · blue otter”' }),
    fingerprint: Type.String({ description: 'SHA-256 of its public key.' }),
    at: Moment,
    expiresAt: Moment,
    trouble: Type.Optional(Type.String({ description: 'What speaks against it: another version.' })),
  },
  strict,
)
/** Static of {@link JoinRequest}. */
export type JoinRequest = Static<typeof JoinRequest>

/** Most PCs that wait for an answer and are shown: one may hold eight, and a few at once may be flooded by strangers. */
export const requestsShownMax = 32

/** A one-use join code that can still be used. Its text is shown only where it was made, once. */
export const JoinCodeInfo = Type.Object({ id: Type.String(), by: Type.String(), expiresAt: Moment }, strict)

/** GET: all PCs, who wants in, and what happened among them. */
export const getNodes = endpoint({
  method: 'GET',
  path: '/api/nodes',
  access: 'admin',
  summary: 'The PCs of the office, their links, and who wants to join',
  reply: Type.Object(
    {
      enabled: Type.Boolean({ description: 'Whether other PCs can join; the same on all PCs.' }),
      node: name,
      sentence: Type.String({ description: '“Three PCs carry the office.”' }),
      nodes: Type.Array(Node, { maxItems: 64 }),
      requests: Type.Array(JoinRequest, {
        maxItems: requestsShownMax,
        description: 'Those that wait at any PC of the office, oldest first; when there are more, the newest of them.',
      }),
      codes: Type.Array(JoinCodeInfo, {
        maxItems: 16,
        description: 'Those that were made on the PC that answers: a code is good at the PC where it was made.',
      }),
      happened: Type.Array(Happening, { maxItems: 20 }),
      clusterPort: Type.Optional(Type.Integer()),
    },
    strict,
  ),
})

/** PUT: lets other PCs join, or not. Refused while there are others. */
export const setCluster = endpoint({
  method: 'PUT',
  path: '/api/nodes/enabled',
  access: 'admin',
  summary: 'Turns the cluster on or off for the whole office',
  body: Type.Object({ enabled: Type.Boolean() }, strict),
})

/** POST: makes a one-use join code, valid 15 minutes. */
export const makeJoinCode = endpoint({
  method: 'POST',
  path: '/api/nodes/join-code',
  access: 'admin',
  summary: 'Makes a one-use join code',
  reply: Type.Object(
    {
      id: Type.String(),
      code: Type.String({ description: '“ACME-7Q4K-M2PX-…”; holds address, fingerprint and secret.' }),
      expiresAt: Moment,
    },
    strict,
  ),
})

/** DELETE: a join code can be used no longer. */
export const dropJoinCode = endpoint({
  method: 'DELETE',
  path: '/api/nodes/join-code/:id',
  access: 'admin',
  summary: 'Takes back a join code',
  params: Type.Object({ id: Type.String({ maxLength: 64 }) }, strict),
})

/** POST: lets a PC in, or not. Answers when it is a node of the office. */
export const answerJoin = endpoint({
  method: 'POST',
  path: '/api/nodes/requests/:id',
  access: 'admin',
  summary: 'Accepts or refuses a PC that wants to join',
  params: Type.Object({ id: Type.String({ maxLength: 64 }) }, strict),
  body: Type.Object({ accept: Type.Boolean() }, strict),
})

/** GET: offices and PCs that announce themselves on this network, the own ones too. */
export const discoverNodes = endpoint({
  method: 'GET',
  path: '/api/nodes/discovered',
  access: 'admin',
  summary: 'What announces itself on the network',
  reply: Type.Object(
    {
      offices: Type.Array(
        Type.Object(
          {
            officeId: Type.String(),
            office: Type.String(),
            domain: Type.String(),
            own: Type.Boolean(),
            people: Type.Integer({ minimum: 0 }),
            nodes: Type.Array(
              Type.Object({ name, address: Type.String(), version: Type.String(), seenAt: Moment }, strict),
              { maxItems: 64 },
            ),
          },
          strict,
        ),
        { maxItems: 32 },
      ),
    },
    strict,
  ),
})

const oneNode = Type.Object({ name }, strict)

/** What became of the devices of a PC that was taken out. */
export const HandedOver = Type.Object(
  {
    moved: Type.Integer({ minimum: 0, description: 'Devices that went on on other PCs.' }),
    left: Type.Integer({ minimum: 0, description: 'Devices that have to connect again.' }),
  },
  strict,
)
/** Static of {@link HandedOver}. */
export type HandedOver = Static<typeof HandedOver>

/** POST: takes a PC out for maintenance: its people are handed over, nobody can log in there. Answers when they are. */
export const drainNode = endpoint({
  method: 'POST',
  path: '/api/nodes/:name/drain',
  access: 'admin',
  summary: 'Takes a PC out for maintenance: hands its people over',
  params: oneNode,
  reply: HandedOver,
})

/** POST: people can log in there again. */
export const resumeNode = endpoint({
  method: 'POST',
  path: '/api/nodes/:name/resume',
  access: 'admin',
  summary: 'Ends the maintenance of a PC',
  params: oneNode,
})

/** POST: ends the chat part of a PC in order and starts it anew. */
export const restartNode = endpoint({
  method: 'POST',
  path: '/api/nodes/:name/restart',
  access: 'admin',
  summary: 'Restarts chat on a PC',
  params: oneNode,
})

/** POST: removes a PC for good: its certificate is refused by all others at once. `typed` must be its name. */
export const removeNode = endpoint({
  method: 'POST',
  path: '/api/nodes/:name/remove',
  access: 'admin',
  summary: 'Removes a PC from the office for good',
  params: oneNode,
  body: Type.Object({ typed: Type.String({ maxLength: 63 }) }, strict),
})

/** GET: what leads people to all PCs: lines for the name server, load balancers. */
export const listNodeSnippets = endpoint({
  method: 'GET',
  path: '/api/nodes/snippets',
  access: 'admin',
  summary: 'Ready-made configuration: DNS (SRV), HAProxy, Apache, made for the PCs of the office',
  reply: Snippets,
})
