/** Signing in to the admin pages, and tokens for scripts. */
import { type Static, Type } from 'typebox'
import { endpoint, limits, Moment } from './endpoint.ts'

/** Who is signed in, and where. */
export const Session = Type.Object(
  {
    username: Type.String(),
    name: Type.String(),
    address: Type.String({ description: 'anna@acme.example' }),
    office: Type.String(),
    domain: Type.String(),
    pc: Type.String({ description: 'The PC that answers.' }),
    version: Type.String(),
    expiresAt: Moment,
  },
  { additionalProperties: false },
)
/** Static of {@link Session}. */
export type Session = Static<typeof Session>

/** GET: who am I; 401 `not-signed-in` when nobody, 409 `not-set-up` when there is no office. */
export const getSession = endpoint({
  method: 'GET',
  path: '/api/session',
  access: 'admin',
  summary: 'Who is signed in',
  reply: Session,
})

/** POST: signs in and sets the cookie. `wrong-password`, `not-administrator`, `locked-out` (with waitSeconds). */
export const signIn = endpoint({
  method: 'POST',
  path: '/api/session',
  access: 'open',
  summary: 'Signs in',
  body: Type.Object(
    {
      username: Type.String({ minLength: 1, maxLength: 320, description: 'User name or whole address.' }),
      password: Type.String({ minLength: 1, maxLength: limits.passwordMax }),
    },
    { additionalProperties: false },
  ),
  reply: Session,
})

/** DELETE: signs out; also fine when nobody is signed in. */
export const signOut = endpoint({ method: 'DELETE', path: '/api/session', access: 'open', summary: 'Signs out' })

/**
 * POST: an address for the browser of the person at this PC, good once and for a minute: `…/#token=…`. The page takes the token out of its
 * address and hands it to {@link openLink}. Asked for by the tray and the launcher: it signs in as the first administrator; before there is
 * an office, it opens the set-up.
 */
export const createLink = endpoint({
  method: 'POST',
  path: '/api/session/link',
  access: 'pc',
  summary: 'Makes an address that opens the admin pages signed in, or the set-up, once',
  reply: Type.Object({ url: Type.String(), expiresAt: Moment }, { additionalProperties: false }),
})

/** POST: signs in with the token of a link; before there is an office, it lets the holder set one up (and answers no session). `wrong-password` when it is used up. */
export const openLink = endpoint({
  method: 'POST',
  path: '/api/session/token',
  access: 'open',
  summary: 'Signs in with the token of a link',
  body: Type.Object({ token: Type.String({ minLength: 1, maxLength: 128 }) }, { additionalProperties: false }),
  reply: Type.Object({ session: Type.Optional(Session) }, { additionalProperties: false }),
})

/** A token lets a script do what its maker may do; only its hash is kept. */
export const Token = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    madeBy: Type.String(),
    madeAt: Moment,
    expiresAt: Type.Union([Moment, Type.Null()]),
    lastUsedAt: Type.Union([Moment, Type.Null()]),
  },
  { additionalProperties: false },
)
/** Static of {@link Token}. */
export type Token = Static<typeof Token>

/** GET: the tokens, newest first. */
export const listTokens = endpoint({
  method: 'GET',
  path: '/api/tokens',
  access: 'admin',
  summary: 'Tokens for scripts',
  reply: Type.Object({ tokens: Type.Array(Token, { maxItems: 100 }) }, { additionalProperties: false }),
})

/** POST: makes a token; the secret is in this answer and nowhere else. */
export const createToken = endpoint({
  method: 'POST',
  path: '/api/tokens',
  access: 'admin',
  summary: 'Makes a token; its secret is shown once',
  body: Type.Object(
    {
      name: Type.String({ minLength: 1, maxLength: limits.tokenName }),
      days: Type.Unsafe<number | null>({
        type: ['integer', 'null'],
        minimum: 1,
        maximum: 3650,
        description: 'How long it is good for; null: until it is revoked.',
      }),
    },
    { additionalProperties: false },
  ),
  reply: Type.Object({ token: Token, secret: Type.String() }, { additionalProperties: false }),
})

/** DELETE: revokes a token at once. */
export const revokeToken = endpoint({
  method: 'DELETE',
  path: '/api/tokens/:id',
  access: 'admin',
  summary: 'Revokes a token',
  params: Type.Object({ id: Type.String({ maxLength: 64 }) }),
})
