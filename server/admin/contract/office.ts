/** Home: how the office is, in one sentence and a few figures; and what a chat app needs to know. */
import { type Static, Type } from 'typebox'
import { endpoint, Wellness } from './endpoint.ts'
import { Happening } from './happening.ts'
import { Node } from './nodes.ts'

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
      pcs: Type.Array(Node, { maxItems: 64 }),
      happened: Type.Array(Happening, { maxItems: 5, description: 'Newest first.' }),
      todo: Type.Array(
        Type.Object(
          {
            id: Type.Union(
              [Type.Literal('pc'), Type.Literal('people'), Type.Literal('connect'), Type.Literal('recovery')],
              {
                description:
                  'pc: more than one PC; people: more than one account; connect: a chat app has signed in; recovery: sheet kept.',
              },
            ),
            done: Type.Boolean(),
          },
          { additionalProperties: false },
        ),
        { maxItems: 4, description: 'In this order; a thing that cannot be done here is left out.' },
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
