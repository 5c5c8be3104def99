/** Health: each check is a sentence with a mark; failing first; mended by one button where we can. */
import { type Static, Type } from 'typebox'
import { endpoint, Moment, Wellness } from './endpoint.ts'
import { Mend } from './errors.ts'

/** One check. */
export const HealthCheck = Type.Object(
  {
    id: Type.String({ description: 'Stable: “disk-space”.' }),
    group: Type.Union([Type.Literal('pcs'), Type.Literal('database'), Type.Literal('names'), Type.Literal('backups')]),
    state: Wellness,
    sentence: Type.String({ description: '“61 GB of 80 GB are free.”' }),
    why: Type.String({ description: 'Why it matters, in one or two sentences.' }),
    lines: Type.Optional(
      Type.Array(Type.String(), { maxItems: 20, description: 'Exact lines to hand on, such as DNS records.' }),
    ),
    stopsChat: Type.Optional(Type.Boolean({ description: 'While it is so, nobody can log in on this PC.' })),
    mend: Type.Optional(Mend),
  },
  { additionalProperties: false },
)
/** Static of {@link HealthCheck}. */
export type HealthCheck = Static<typeof HealthCheck>

const Health = Type.Object(
  { state: Wellness, checkedAt: Moment, checks: Type.Array(HealthCheck, { maxItems: 100 }) },
  { additionalProperties: false },
)

/** GET: the last results. */
export const getHealth = endpoint({
  method: 'GET',
  path: '/api/health',
  access: 'admin',
  summary: 'All checks with their last results',
  reply: Health,
})

/** POST: checks all again now (≤ 10 s). */
export const recheckHealth = endpoint({
  method: 'POST',
  path: '/api/health/check',
  access: 'admin',
  summary: 'Checks everything again',
  reply: Health,
})

/** POST: does what the button of a check says; the answer is the state of all checks after it. */
export const mendHealth = endpoint({
  method: 'POST',
  path: '/api/health/mend',
  access: 'admin',
  summary: 'Mends what a check found',
  body: Type.Object({ run: Type.String({ minLength: 1, maxLength: 64 }) }, { additionalProperties: false }),
  reply: Health,
})
