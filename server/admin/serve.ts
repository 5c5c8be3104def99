/** One endpoint of the contract on the server: gate, validation, handler, answer. */
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { Caller } from './caller.ts'
import { type Body, type Endpoint, nothing, type Params, type Query, type Reply } from './contract/endpoint.ts'
import type { Gate } from './gate.ts'

/** Bytes of a body before anybody is known, and of an administrator. */
const STRANGER_BYTES_MAX = 16 * 1024
const ADMIN_BYTES_MAX = 2 * 1024 * 1024

/** What a handler is given. */
export interface Call<E> {
  readonly params: Params<E>
  readonly query: Query<E>
  readonly body: Body<E>
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

/** Who asks, at an endpoint with access `admin` or `pc`. */
export function callerOf(call: { readonly request: FastifyRequest }): Caller {
  const { caller } = call.request
  if (!caller) throw new Error('This endpoint is open: nobody is known to ask.')
  return caller
}

/** Registers endpoints of one app; kept small so that a route file reads as a list of them. */
export class Desk {
  readonly #app: FastifyInstance
  readonly #gate: Gate

  constructor(app: FastifyInstance, gate: Gate) {
    this.#app = app
    this.#gate = gate
  }

  /** Serves an endpoint whose answer is JSON. */
  serve<E extends Endpoint>(endpoint: E, handle: (call: Call<E>) => Reply<E> | Promise<Reply<E>>): void {
    this.#register(endpoint, async (request, reply) => {
      const answer = await handle(callOf<E>(request, reply))
      reply.type('application/json; charset=utf-8').header('cache-control', 'no-store')
      return JSON.stringify(answer ?? {})
    })
  }

  /** Serves an endpoint that answers something else by itself (a file, events). */
  serveRaw<E extends Endpoint>(endpoint: E, handle: (call: Call<E>) => unknown): void {
    this.#register(endpoint, async (request, reply) => handle(callOf<E>(request, reply)))
  }

  #register(endpoint: Endpoint, handler: RouteOptions['handler']): void {
    this.#app.route({
      method: endpoint.method,
      url: endpoint.path,
      // A HEAD of an event stream would never end.
      exposeHeadRoute: false,
      bodyLimit: endpoint.access === 'admin' ? ADMIN_BYTES_MAX : STRANGER_BYTES_MAX,
      schema: {
        params: plain(endpoint.params),
        querystring: plain(endpoint.query),
        ...(endpoint.method !== 'GET' && endpoint.body !== nothing && { body: plain(endpoint.body) }),
      },
      onRequest: request => this.#gate.admit(request, endpoint.access),
      preValidation: async request => {
        convert(request.query as Record<string, unknown>, endpoint.query)
      },
      handler,
    })
  }
}

const callOf = <E extends Endpoint>(request: FastifyRequest, reply: FastifyReply): Call<E> => ({
  params: request.params as Params<E>,
  query: request.query as Query<E>,
  body: request.body as Body<E>,
  request,
  reply,
})

/** The schema without what TypeBox keeps in it for itself. */
const plain = (schema: object): unknown => JSON.parse(JSON.stringify(schema))

/** What stands behind `?` is text: numbers and truth values are made of it where the schema has them. */
function convert(query: Record<string, unknown>, schema: Endpoint['query']): void {
  for (const [name, property] of Object.entries(schema.properties)) {
    const text = query[name]
    const { type } = property as { type?: string }
    if (typeof text !== 'string') continue
    if ((type === 'integer' || type === 'number') && /^-?\d+(\.\d+)?$/.test(text)) query[name] = Number(text)
    if (type === 'boolean' && (text === 'true' || text === 'false')) query[name] = text === 'true'
  }
}
