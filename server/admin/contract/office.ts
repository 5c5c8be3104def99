/** Home: how the office is, in one sentence and a few figures; and what a chat app needs to know. */
import { type Static, Type } from 'typebox'
import { endpoint, Moment, Wellness } from './endpoint.ts'

/** The figures on Home. */
export const Figures = Type.Object(
  {
    peopleOnline: Type.Integer({ minimum: 0 }),
    people: Type.Integer({ minimum: 0 }),
    messagesToday: Type.Integer({ minimum: 0 }),
    slowestMs: Type.Union([Type.Number({ minimum: 0 }), Type.Null()], {
      description: 'The 99th percentile of the last hour, from received to written; null before the first message.',
    }),
    storedBytes: Type.Number({ minimum: 0, description: 'What the office keeps: database and files.' }),
    diskBytes: Type.Number({ minimum: 0, description: 'Size of the disk it is kept on.' }),
    diskFreeBytes: Type.Number({ minimum: 0 }),
  },
  { additionalProperties: false },
)
/** Static of {@link Figures}. */
export type Figures = Static<typeof Figures>

/** One PC of the office. */
export const Pc = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    here: Type.Boolean({ description: 'This PC answers you.' }),
    state: Type.Union([Type.Literal('on'), Type.Literal('starting'), Type.Literal('paused'), Type.Literal('off')]),
    people: Type.Integer({ minimum: 0, description: 'People connected to it.' }),
    database: Type.Union([Type.Literal('main'), Type.Literal('copy'), Type.Literal('outside'), Type.Literal('none')], {
      description: 'outside: the office’s own PostgreSQL servers.',
    }),
    copyLagSeconds: Type.Optional(Type.Number({ minimum: 0 })),
    addresses: Type.Array(Type.String(), { maxItems: 32 }),
    version: Type.String(),
    upSince: Type.Optional(Moment),
  },
  { additionalProperties: false },
)
/** Static of {@link Pc}. */
export type Pc = Static<typeof Pc>

/** Something that happened, as a sentence for people. */
export const Happening = Type.Object(
  { id: Type.String(), at: Moment, sentence: Type.String(), state: Wellness },
  { additionalProperties: false },
)
/** Static of {@link Happening}. */
export type Happening = Static<typeof Happening>

/** GET: everything on Home. */
export const getHome = endpoint({
  method: 'GET',
  path: '/api/home',
  access: 'admin',
  summary: 'How the office is: a sentence, figures, PCs, what happened, what is left to do',
  reply: Type.Object(
    {
      state: Wellness,
      headline: Type.String({ description: 'Two or three words beside the mark: “Everything works”.' }),
      sentence: Type.String({ description: '“One PC carries the office.”' }),
      figures: Figures,
      pcs: Type.Array(Pc, { maxItems: 64 }),
      happened: Type.Array(Happening, { maxItems: 5, description: 'Newest first.' }),
      todo: Type.Array(
        Type.Object(
          {
            id: Type.Union([Type.Literal('people'), Type.Literal('connect'), Type.Literal('recovery')], {
              description: 'people: more than one account; connect: a chat app has signed in; recovery: sheet kept.',
            }),
            done: Type.Boolean(),
          },
          { additionalProperties: false },
        ),
        { maxItems: 3, description: 'In this order; a thing that cannot be done here is left out.' },
      ),
    },
    { additionalProperties: false },
  ),
})

/** GET: what to type into a chat app. */
export const getConnect = endpoint({
  method: 'GET',
  path: '/api/connect',
  access: 'admin',
  summary: 'What a chat app needs to connect',
  reply: Type.Object(
    {
      domain: Type.String(),
      addresses: Type.Array(Type.String(), {
        maxItems: 32,
        description: 'Where chat is open in the office network; first is best.',
      }),
      ports: Type.Object(
        {
          chat: Type.Integer({ description: 'With STARTTLS.' }),
          chatTls: Type.Optional(Type.Integer({ description: 'TLS from the first byte.' })),
          web: Type.Optional(Type.Integer({ description: 'HTTPS: WebSocket and BOSH.' })),
        },
        { additionalProperties: false },
      ),
      found: Type.Boolean({
        description: 'DNS leads chat apps here by the domain alone; otherwise the server must be typed.',
      }),
      fingerprint: Type.String({ description: 'SHA-256 of the office’s certificate.' }),
    },
    { additionalProperties: false },
  ),
})
