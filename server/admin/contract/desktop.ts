/** What the tray of this PC shows and does: everything of it in one answer, so that an icon never tells two truths at once. */
import { type Static, Type } from 'typebox'
import { endpoint, Moment } from './endpoint.ts'
import { JoinRequest } from './nodes.ts'

const strict = { additionalProperties: false }

/** How the office stands, for an icon: `ok` all well · `warn` chat works, something wants the admin · `bad` people cannot chat here · `paused` taken out by somebody. */
export const DesktopState = Type.Union([
  Type.Literal('ok'),
  Type.Literal('warn'),
  Type.Literal('bad'),
  Type.Literal('paused'),
])
/** Static of {@link DesktopState}. */
export type DesktopState = Static<typeof DesktopState>

/** Where an update of the program stands. `off`: nobody looks for any; `available`: it waits for somebody, or for the night. */
export const DesktopUpdate = Type.Object(
  {
    state: Type.Union([
      Type.Literal('off'),
      Type.Literal('current'),
      Type.Literal('available'),
      Type.Literal('installing'),
      Type.Literal('failed'),
    ]),
    version: Type.Optional(Type.String({ description: 'The newer one.' })),
    sentence: Type.String({ description: '“Up to date”, “Version 1.3 can be installed”.' }),
  },
  strict,
)
/** Static of {@link DesktopUpdate}. */
export type DesktopUpdate = Static<typeof DesktopUpdate>

/** All that the tray shows. */
export const Desktop = Type.Object(
  {
    state: DesktopState,
    office: Type.String(),
    pc: Type.String({ description: 'This PC.' }),
    version: Type.String(),
    headline: Type.String({ description: 'Behind the office’s name: “everything works”.' }),
    sentence: Type.String({ description: 'For the hover text: “BACK-OFFICE is off since 10:04.”' }),
    peopleOnline: Type.Integer({ minimum: 0, description: 'In the whole office.' }),
    peopleHere: Type.Integer({ minimum: 0, description: 'Connected to this PC: who moves or waits when it stops.' }),
    pcsOn: Type.Integer({ minimum: 0 }),
    pcs: Type.Integer({ minimum: 1 }),
    movesTo: Type.Optional(Type.String({ description: 'A PC that takes over the people of this one; absent: none.' })),
    canJoin: Type.Boolean({ description: 'Whether other PCs may join, so that a join code is worth showing.' }),
    requests: Type.Array(JoinRequest, { maxItems: 8 }),
    pausedUntil: Type.Optional(Type.Union([Moment, Type.Null()], { description: 'null: until somebody resumes.' })),
    backupFailures: Type.Integer({ minimum: 0, description: 'In a row.' }),
    update: DesktopUpdate,
  },
  strict,
)
/** Static of {@link Desktop}. */
export type Desktop = Static<typeof Desktop>

/** GET: what the tray shows. The event `desktop` of the event stream says when to ask again. */
export const getDesktop = endpoint({
  method: 'GET',
  path: '/api/desktop',
  access: 'admin',
  summary: 'What the tray of this PC shows',
  reply: Desktop,
})

/** POST: takes this PC out for so many minutes (absent: until it is resumed): its people are handed over first. */
export const pauseHere = endpoint({
  method: 'POST',
  path: '/api/desktop/pause',
  access: 'admin',
  summary: 'Pauses this PC: hands its people over, nobody can log in here',
  body: Type.Object({ minutes: Type.Optional(Type.Integer({ minimum: 1, maximum: 24 * 60 })) }, strict),
})

/** POST: people can log in here again. */
export const resumeHere = endpoint({
  method: 'POST',
  path: '/api/desktop/resume',
  access: 'admin',
  summary: 'Ends the pause of this PC',
})

/** POST: stops the server on this PC in order, as SIGTERM does; only from this PC itself. It answers before it stops. */
export const stopHere = endpoint({
  method: 'POST',
  path: '/api/desktop/stop',
  access: 'admin',
  summary: 'Stops chat on this PC in order',
})
