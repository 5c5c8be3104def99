/** Updates of the program: what there is, where each PC stands, and the two things that can be done. Off until somebody says where updates come from. */
import { type Static, Type } from 'typebox'
import { endpoint, Moment, Wellness } from './endpoint.ts'

const strict = { additionalProperties: false }

/** Where the office stands. `off`: nobody looks for updates; `available`: one waits for somebody, or for the night; `failed`: it was stopped, and waits for somebody. */
export const UpdateState = Type.Union([
  Type.Literal('off'),
  Type.Literal('current'),
  Type.Literal('available'),
  Type.Literal('installing'),
  Type.Literal('failed'),
])
/** Static of {@link UpdateState}. */
export type UpdateState = Static<typeof UpdateState>

/** One PC. `waiting`: it has an older version and is updated by itself; `by-hand`: a person has to run the set-up there. */
export const UpdatePc = Type.Object(
  {
    name: Type.String(),
    version: Type.Optional(Type.String({ description: 'What runs there; absent: it cannot be asked.' })),
    state: Type.Union([
      Type.Literal('current'),
      Type.Literal('waiting'),
      Type.Literal('installing'),
      Type.Literal('by-hand'),
      Type.Literal('unknown'),
    ]),
    sentence: Type.String({ description: '“Has version 1.3.”, “Run lanthorn-1.3-setup.exe there.”' }),
  },
  strict,
)
/** Static of {@link UpdatePc}. */
export type UpdatePc = Static<typeof UpdatePc>

/** Everything the page shows. */
export const Updates = Type.Object(
  {
    state: UpdateState,
    wellness: Wellness,
    sentence: Type.String({ description: '“All PCs have version 1.3, the newest one.”' }),
    version: Type.String({ description: 'Of this PC.' }),
    canBeOn: Type.Boolean({ description: 'Whether this program takes updates at all.' }),
    newest: Type.Optional(
      Type.Object(
        {
          version: Type.String(),
          publishedAt: Moment,
          notes: Type.String({ description: 'What is new.' }),
          hazelcast: Type.Optional(Type.String({ description: 'The generation of Hazelcast that it brings.' })),
        },
        strict,
      ),
    ),
    checkedAt: Type.Optional(Moment),
    trouble: Type.Optional(Type.String({ description: 'Why the feed could not be read, as a sentence.' })),
    nextNight: Type.Optional(Moment),
    step: Type.Optional(
      Type.String({ description: 'What goes on, or what is waited for: “BACK-OFFICE is off: updates wait …”.' }),
    ),
    canInstall: Type.Boolean({ description: 'Whether `install` has something to do.' }),
    canStop: Type.Boolean({ description: 'Whether `stop` has.' }),
    pcs: Type.Array(UpdatePc, { maxItems: 64 }),
  },
  strict,
)
/** Static of {@link Updates}. */
export type Updates = Static<typeof Updates>

/** GET: where updates stand. */
export const getUpdates = endpoint({
  method: 'GET',
  path: '/api/updates',
  access: 'admin',
  summary: 'What updates there are, and where each PC stands',
  reply: Updates,
})

/** POST: reads the feed now. */
export const checkUpdates = endpoint({
  method: 'POST',
  path: '/api/updates/check',
  access: 'admin',
  summary: 'Looks for updates now',
  reply: Updates,
})

/** POST: updates all PCs now, one after the other; also goes on after a failure. Answers when it is begun. */
export const installUpdates = endpoint({
  method: 'POST',
  path: '/api/updates/install',
  access: 'admin',
  summary: 'Installs the newest version on all PCs, one after the other',
  reply: Updates,
})

/** POST: no further PC is updated, also not at night, until `install`. One that has begun goes on. */
export const stopUpdates = endpoint({
  method: 'POST',
  path: '/api/updates/stop',
  access: 'admin',
  summary: 'Stops updating before the next PC',
  reply: Updates,
})
