/** One line of the admin API: what goes in, what comes out, who may ask. The server serves it, the UI calls it, OpenAPI is printed from it. */
import { type Static, type TObject, type TSchema, Type } from 'typebox'

/**
 * Who may call: `open` anyone who reaches the port; `setup` only while no office exists, and only from this PC itself
 * or by who opened the link that its launcher printed;
 * `admin` a signed-in administrator (session cookie) or a bearer token;
 * `pc` only the tray and the command line of this very PC (the token of run.json, over loopback), also before there is an office.
 */
export type Access = 'open' | 'setup' | 'admin' | 'pc'

/** The HTTP methods in use; GET changes nothing. */
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** What an answer's body is; everything but JSON is described by its media type alone and has no schema to check. */
export type Produces = 'application/json' | 'text/event-stream' | 'application/x-x509-ca-cert' | 'text/plain'

/** The schema of "no parameters at all". */
export const nothing = Type.Object({}, { additionalProperties: false })
/** Type of {@link nothing}. */
export type Nothing = typeof nothing

/** An endpoint with its schemas filled in; `path` has fastify's `:name` places, each of them a key of `params`. */
export interface Endpoint<
  P extends TObject = TObject,
  Q extends TObject = TObject,
  B extends TSchema = TSchema,
  R extends TSchema = TSchema,
> {
  readonly method: Method
  readonly path: `/api/${string}`
  readonly access: Access
  readonly summary: string
  readonly params: P
  readonly query: Q
  /** Absent for endpoints that take no body: the server then passes no body schema on. */
  readonly body: B
  readonly reply: R
  readonly produces: Produces
}

/** The value types of an endpoint: `Params<E>`, `Query<E>`, `Body<E>`, `Reply<E>`. */
export type Params<E> = E extends Endpoint<infer P, TObject, TSchema, TSchema> ? Static<P> : never
/** What may stand behind the `?`; all values arrive as text and are converted by their schema. */
export type Query<E> = E extends Endpoint<TObject, infer Q, TSchema, TSchema> ? Static<Q> : never
/** The JSON body. */
export type Body<E> = E extends Endpoint<TObject, TObject, infer B, TSchema> ? Static<B> : never
/** The JSON answer of a 2xx. */
export type Reply<E> = E extends Endpoint<TObject, TObject, TSchema, infer R> ? Static<R> : never

/**
 * Declares an endpoint. What is not in a schema is refused (`additionalProperties: false`), not dropped; only params and query are
 * converted from text. Left out: `params`, `query` and `body` mean "nothing", `produces` means JSON.
 * @returns the same declaration with every part present.
 */
export function endpoint<
  P extends TObject = Nothing,
  Q extends TObject = Nothing,
  B extends TSchema = Nothing,
  R extends TSchema = Nothing,
>(declaration: {
  method: Method
  path: `/api/${string}`
  access: Access
  summary: string
  params?: P
  query?: Q
  body?: B
  reply?: R
  produces?: Produces
}): Endpoint<P, Q, B, R> {
  // The defaults of the type parameters say what the casts repeat: a part that is left out has the schema "nothing".
  return {
    params: nothing as unknown as P,
    query: nothing as unknown as Q,
    body: nothing as unknown as B,
    reply: nothing as unknown as R,
    produces: 'application/json',
    ...declaration,
  }
}

/** How well something is: shown by shape and colour, never by colour alone. */
export const Wellness = Type.Union([Type.Literal('ok'), Type.Literal('warn'), Type.Literal('bad')])
/** Static of {@link Wellness}. */
export type Wellness = Static<typeof Wellness>

/** A moment as ISO 8601 in UTC (`2026-11-22T10:04:00.000Z`). */
export const Moment = Type.String({ format: 'date-time' })

/** What a form can check before it asks the server: one sentence of what a thing may be, in numbers. */
export const limits = {
  officeName: 80,
  domain: 253,
  username: 64,
  personName: 120,
  passwordMin: 8,
  passwordMax: 256,
  tokenName: 80,
  searchText: 200,
  pageOf: 200,
} as const
