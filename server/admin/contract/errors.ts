/** The one shape of every refusal: `{ error: { code, sentence, field?, mend? } }`. */
import { type Static, Type } from 'typebox'

/** Every code the API can answer with, and the HTTP status it goes with. Tests and scripts branch on the code. */
export const statusOf = {
  /** The body, query or path does not fit the schema; `field` says which part. */
  'not-valid': 400,
  /** No session cookie or bearer token, or one that has run out. */
  'not-signed-in': 401,
  /** User name or password is wrong; which of the two is never said. */
  'wrong-password': 401,
  /** Signed in, but not an administrator. */
  'not-administrator': 403,
  /** The request came from another page (Origin check). */
  'other-origin': 403,
  /** Only done on the PC itself: set-up by who sits there, links and stopping by its tray and command line. */
  'not-here': 403,
  /** No such person, connection, setting, token, change or page. */
  'not-found': 404,
  /** The person, token name or office exists already. */
  'exists-already': 409,
  /** The office has been made; set-up is over. */
  'set-up-already': 409,
  /** No office yet: only the set-up endpoints answer. */
  'not-set-up': 409,
  /** The last administrator cannot be blocked, removed or made an ordinary person. */
  'last-administrator': 409,
  /** A change that was undone or overtaken by a later one. */
  'changed-since': 409,
  /** A rule of a feature, of names or of passwords says no; the sentence says why. */
  refused: 422,
  /** Too many failures: wait `waitSeconds`. */
  'locked-out': 429,
  /** Too many requests at once. */
  'too-busy': 429,
  /** A fault of ours; the log has the details under the id in the sentence. */
  fault: 500,
  /** The database does not answer at the moment. */
  'database-away': 503,
  /** Starting or stopping. */
  'not-ready': 503,
} as const

/** Static names of the codes. */
export type ErrorCode = keyof typeof statusOf

/** A button that mends what is wrong: it opens a page of the UI (`/settings?find=…`), or asks the server to do it (`POST /api/health/mend`). */
export const Mend = Type.Object(
  {
    label: Type.String({ description: 'What the button says, beginning with a verb: “Open the firewall”.' }),
    page: Type.Optional(Type.String({ description: 'A page of the UI, beginning with /.' })),
    run: Type.Optional(Type.String({ description: 'The id of the check whose mending is asked for.' })),
  },
  { additionalProperties: false },
)
/** Static of {@link Mend}. */
export type Mend = Static<typeof Mend>

/** What went wrong, for people and for programs. */
export const Problem = Type.Object(
  {
    code: Type.Unsafe<ErrorCode>({ type: 'string', enum: Object.keys(statusOf) }),
    sentence: Type.String({ description: 'What happened, why, and what to do; ends with a full stop.' }),
    field: Type.Optional(
      Type.String({ description: 'The part of the request at fault, dotted (“person.username”, a setting’s key).' }),
    ),
    mend: Type.Optional(Mend),
    waitSeconds: Type.Optional(Type.Integer({ minimum: 1, description: 'With locked-out and too-busy.' })),
  },
  { additionalProperties: false },
)
/** Static of {@link Problem}. */
export type Problem = Static<typeof Problem>

/** Body of every answer that is not 2xx. */
export const Failure = Type.Object({ error: Problem }, { additionalProperties: false })
/** Static of {@link Failure}. */
export type Failure = Static<typeof Failure>
