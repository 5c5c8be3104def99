/** The first ten minutes: from an empty data folder to an office with its first account. */
import { type Static, Type } from 'typebox'
import { DatabaseInspection, DatabaseUrl } from './database.ts'
import { endpoint, limits, Moment, Wellness } from './endpoint.ts'
import { Problem } from './errors.ts'
import { Session } from './session.ts'

/** `fresh` waits for the wizard; `making` creates the office; `ready` has one; `starting` cannot tell yet. */
export const SetupState = Type.Union([
  Type.Literal('starting'),
  Type.Literal('fresh'),
  Type.Literal('making'),
  Type.Literal('ready'),
])

/** One tick. The first three belong to the start, the others to the making of the office; the UI has the words. */
export const SetupStep = Type.Object(
  {
    id: Type.Union([
      Type.Literal('database'),
      Type.Literal('server'),
      Type.Literal('network'),
      Type.Literal('office-database'),
      Type.Literal('keys'),
      Type.Literal('account'),
      Type.Literal('open'),
    ]),
    state: Type.Union([Type.Literal('waiting'), Type.Literal('doing'), Type.Literal('done'), Type.Literal('failed')]),
    detail: Type.Optional(Type.String({ description: 'What was found or is being done: “192.168.1.20”, “62 %”.' })),
    tookMs: Type.Optional(Type.Number({ minimum: 0 })),
  },
  { additionalProperties: false },
)
/** Static of {@link SetupStep}. */
export type SetupStep = Static<typeof SetupStep>

/** GET: where set-up stands. Polled twice a second while `starting` or `making`; once `ready` it says no more than a sign-in page needs. */
export const getSetup = endpoint({
  method: 'GET',
  path: '/api/setup',
  access: 'open',
  summary: 'Where set-up stands: state, ticks, what is suggested',
  reply: Type.Object(
    {
      state: SetupState,
      steps: Type.Array(SetupStep, { maxItems: 7 }),
      problem: Type.Optional(Problem),
      here: Type.Boolean({
        description:
          'True when the asker sits at this PC, or came by a link made there; only then the set-up endpoints answer.',
      }),
      pc: Type.Object({
        name: Type.String(),
        address: Type.String({ description: 'Its address in the office network.' }),
      }),
      suggestedDomain: Type.Optional(
        Type.String({
          description: 'While fresh: the DNS domain of this PC; absent when it has none (then <office>.lan).',
        }),
      ),
      office: Type.Optional(Type.String({ description: 'Once ready: the name of the office.' })),
      version: Type.String(),
    },
    { additionalProperties: false },
  ),
})

/** POST: may the office have this domain? Also says what it looks like when written properly (IDNA, lower case). */
export const checkDomain = endpoint({
  method: 'POST',
  path: '/api/setup/domain',
  access: 'setup',
  summary: 'Looks at a domain before the office gets it',
  body: Type.Object({ domain: Type.String({ maxLength: limits.domain }) }, { additionalProperties: false }),
  reply: Type.Object(
    {
      state: Wellness,
      sentence: Type.String({ description: '“Free on this network.” or why not.' }),
      domain: Type.String({ description: 'The domain as it would be kept.' }),
    },
    { additionalProperties: false },
  ),
})

/** POST: does this PostgreSQL address work? One row per host named in the URL. */
export const checkDatabase = endpoint({
  method: 'POST',
  path: '/api/setup/database',
  access: 'setup',
  summary: 'Tries the PostgreSQL servers of a URL',
  body: Type.Object({ url: DatabaseUrl }, { additionalProperties: false }),
  reply: DatabaseInspection,
})

/** The sheet that is printed and kept: with it an office can be brought back when all its PCs are lost. */
export const RecoverySheet = Type.Object(
  {
    office: Type.String(),
    domain: Type.String(),
    officeId: Type.String(),
    fingerprint: Type.String({ description: 'SHA-256 of the office’s certificate, upper-case hex pairs with colons.' }),
    recoveryKey: Type.String({ description: 'Groups of letters and digits joined by “-”.' }),
    pc: Type.String({ description: 'The PC it was made on.' }),
    madeAt: Moment,
    kept: Type.Boolean({ description: 'Someone said that the sheet is saved or printed.' }),
  },
  { additionalProperties: false },
)
/** Static of {@link RecoverySheet}. */
export type RecoverySheet = Static<typeof RecoverySheet>

/**
 * POST: makes the office. Answers when it is made (≤ 10 s; ticks meanwhile by {@link getSetup}), sets the session cookie of
 * the first account. Refusals name the field: `office`, `domain`, `database.url`, `person.username`, `person.password`.
 */
export const createOffice = endpoint({
  method: 'POST',
  path: '/api/setup/office',
  access: 'setup',
  summary: 'Makes the office and its first account, and signs that account in',
  body: Type.Object(
    {
      office: Type.String({ minLength: 1, maxLength: limits.officeName }),
      domain: Type.String({ minLength: 1, maxLength: limits.domain }),
      database: Type.Optional(Type.Object({ url: DatabaseUrl }, { additionalProperties: false })),
      person: Type.Object(
        {
          name: Type.String({ minLength: 1, maxLength: limits.personName }),
          username: Type.String({ minLength: 1, maxLength: limits.username }),
          password: Type.String({ minLength: limits.passwordMin, maxLength: limits.passwordMax }),
        },
        { additionalProperties: false },
      ),
    },
    { additionalProperties: false },
  ),
  reply: Type.Object({ session: Session, recovery: RecoverySheet }, { additionalProperties: false }),
})

/** GET: the recovery sheet again, for the administrator who pressed “Later”. Reading it is written to the history. */
export const getRecovery = endpoint({
  method: 'GET',
  path: '/api/recovery',
  access: 'admin',
  summary: 'The recovery sheet',
  reply: RecoverySheet,
})

/** POST: the sheet has been saved or printed; the reminder on Home goes away. */
export const keepRecovery = endpoint({
  method: 'POST',
  path: '/api/recovery/kept',
  access: 'admin',
  summary: 'Notes that the recovery sheet has been saved or printed',
})
