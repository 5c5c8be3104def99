/** From a new PC into an office that is there: cards, the code on both screens, ticks. Internally: pairing. */
import { type Static, Type } from 'typebox'
import { endpoint, limits, Moment } from './endpoint.ts'
import { Problem } from './errors.ts'

const strict = { additionalProperties: false }

/** An office that was seen on the network and has proven that it is there. */
export const OfficeCard = Type.Object(
  {
    officeId: Type.String(),
    office: Type.String(),
    domain: Type.String(),
    people: Type.Integer({ minimum: 0 }),
    pcs: Type.Array(Type.String(), { maxItems: 64, description: 'Names of its PCs that were seen.' }),
    address: Type.String({ description: '“192.168.1.20:5275”: the PC that would be asked.' }),
    seenAt: Moment,
    trouble: Type.Optional(Type.String({ description: 'Why this PC cannot join it: another version.' })),
  },
  strict,
)
/** Static of {@link OfficeCard}. */
export type OfficeCard = Static<typeof OfficeCard>

/** One tick of joining. The UI has the words. */
export const JoinStep = Type.Object(
  {
    id: Type.Union([
      Type.Literal('accepted'),
      Type.Literal('certificates'),
      Type.Literal('database'),
      Type.Literal('people'),
      Type.Literal('cluster'),
      Type.Literal('open'),
    ]),
    state: Type.Union([Type.Literal('waiting'), Type.Literal('doing'), Type.Literal('done'), Type.Literal('failed')]),
    detail: Type.Optional(Type.String()),
    tookMs: Type.Optional(Type.Number({ minimum: 0 })),
  },
  strict,
)
/** Static of {@link JoinStep}. */
export type JoinStep = Static<typeof JoinStep>

/** Where joining stands. `compare`: the code is shown, somebody must press Accept there. */
export const Joining = Type.Object(
  {
    state: Type.Union([
      Type.Literal('idle'),
      Type.Literal('asking'),
      Type.Literal('compare'),
      Type.Literal('joining'),
      Type.Literal('joined'),
      Type.Literal('failed'),
    ]),
    code: Type.Optional(Type.String({ description: '“4827 · blue otter”' })),
    office: Type.Optional(Type.String()),
    pc: Type.Optional(Type.String({ description: 'The PC that was asked: “FRONT-DESK”.' })),
    fingerprint: Type.Optional(Type.String({ description: 'SHA-256 of the office’s authority.' })),
    steps: Type.Array(JoinStep, { maxItems: 6 }),
    problem: Type.Optional(Problem),
    sentence: Type.Optional(Type.String({ description: 'When joined: “Two PCs carry the office. …”' })),
  },
  strict,
)
/** Static of {@link Joining}. */
export type Joining = Static<typeof Joining>

/**
 * GET: what was found on the network, and where joining stands. Polled twice a second by the wizard; once this PC has joined it still tells the wizard,
 * and nobody who may not set this PC up, how it ended.
 */
export const getJoining = endpoint({
  method: 'GET',
  path: '/api/setup/join',
  access: 'open',
  summary: 'Offices on the network, and where joining stands',
  reply: Type.Object(
    {
      offices: Type.Array(OfficeCard, { maxItems: 32 }),
      joining: Joining,
      own: Type.Optional(
        Type.Object(
          { office: Type.String(), domain: Type.String(), people: Type.Integer({ minimum: 0 }) },
          {
            ...strict,
            description:
              'This PC has an office of its own already: it is left behind, or its people are brought along.',
          },
        ),
      ),
    },
    strict,
  ),
})

/** POST: begins to join: an office by address (the code is compared on both screens), or by a join code. Answers at once. */
export const startJoining = endpoint({
  method: 'POST',
  path: '/api/setup/join',
  access: 'setup',
  summary: 'Begins to join an office',
  body: Type.Object(
    {
      address: Type.Optional(
        Type.String({ maxLength: limits.domain + 6, description: '“192.168.1.20” or “pc-1.example:5275”' }),
      ),
      code: Type.Optional(Type.String({ maxLength: 400, description: 'A join code.' })),
    },
    strict,
  ),
  reply: Joining,
})

/** DELETE: gives up. */
export const stopJoining = endpoint({
  method: 'DELETE',
  path: '/api/setup/join',
  access: 'setup',
  summary: 'Gives up joining',
})

/** GET: as {@link getJoining}, for an administrator of an office that shall become part of another one. */
export const getMerging = endpoint({
  method: 'GET',
  path: '/api/nodes/merge',
  access: 'admin',
  summary: 'Other offices on the network, and where joining one of them stands',
  reply: getJoining.reply,
})

/**
 * POST: this PC leaves its own office and joins another one. Its people are brought along (accounts, passwords, contacts, profiles; not their messages) or
 * left behind; the old data stays in the data folder. `typed` must be the name of the own office.
 */
export const startMerging = endpoint({
  method: 'POST',
  path: '/api/nodes/merge',
  access: 'admin',
  summary: 'Joins another office with this PC, which has an office of its own',
  body: Type.Object(
    {
      address: Type.Optional(Type.String({ maxLength: limits.domain + 6 })),
      code: Type.Optional(Type.String({ maxLength: 400 })),
      people: Type.Union([Type.Literal('bring'), Type.Literal('leave')]),
      typed: Type.String({ maxLength: limits.officeName }),
    },
    strict,
  ),
  reply: Joining,
})

/** DELETE: gives up, as long as nothing was changed. */
export const stopMerging = endpoint({
  method: 'DELETE',
  path: '/api/nodes/merge',
  access: 'admin',
  summary: 'Gives up joining another office',
})
