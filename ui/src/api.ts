/** The typed way from a page to the server: `call(endpoint, input)` over the contract both share. */
import type { Body, Endpoint, Params, Query, Reply } from '../../server/admin/contract/endpoint.ts'
import type { Failure, Problem } from '../../server/admin/contract/errors.ts'
import { say } from './messages/say.ts'

/** What a page can be told: the server's problem, or that the server cannot be reached at all. */
export type Trouble = Omit<Problem, 'code'> & { code: Problem['code'] | 'unreachable' }

/** Thrown by {@link call} for every answer that is not 2xx, and for none at all. */
export class CallFailed extends Error {
  readonly trouble: Trouble
  constructor(trouble: Trouble) {
    super(trouble.sentence)
    this.trouble = trouble
  }
}

type Part<Name extends string, Value> = [keyof Value] extends [never]
  ? unknown
  : Record<never, never> extends Value
    ? { [K in Name]?: Value }
    : { [K in Name]: Value }
/** What a call takes: `params`, `query` and `body`, each only if the endpoint has it. */
export type Input<E> = Part<'params', Params<E>> & Part<'query', Query<E>> & Part<'body', Body<E>>
type Arguments<E> = Record<never, never> extends Input<E> ? [input?: Input<E>] : [input: Input<E>]
type AnyInput = { params?: object; query?: object; body?: unknown }

const patienceMs = 60_000
let whenSignedOut: () => void = () => undefined

/** Says what to do when the server no longer knows who we are. */
export function onSignedOut(act: () => void): void {
  whenSignedOut = act
}

/**
 * The address of an endpoint with its places and query filled in; also used for links and event streams.
 * @throws TypeError when a place of the path has no value.
 */
export function addressOf(endpoint: Pick<Endpoint, 'path'>, input: AnyInput = {}): string {
  const params = new Map(Object.entries(input.params ?? {}))
  const path = endpoint.path.replace(/:(\w+)/g, (_, name: string) => {
    const value = params.get(name)
    if (value === undefined) throw new TypeError(`${endpoint.path} needs ${name}`)
    return encodeURIComponent(String(value))
  })
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(input.query ?? {})) {
    if (value !== undefined && value !== '') query.set(name, String(value))
  }
  return query.size > 0 ? `${path}?${query}` : path
}

/**
 * Calls an endpoint of the admin API.
 * @returns the answer, shaped by the endpoint's reply schema.
 * @throws CallFailed with a sentence to show.
 */
export async function call<E extends Endpoint>(endpoint: E, ...[input]: Arguments<E>): Promise<Reply<E>> {
  const { body, ...rest } = (input ?? {}) as AnyInput
  const request: RequestInit = { method: endpoint.method, signal: AbortSignal.timeout(patienceMs) }
  if (endpoint.method !== 'GET') {
    request.headers = { 'content-type': 'application/json' }
    request.body = JSON.stringify(body ?? {})
  }
  let response: Response
  try {
    response = await fetch(addressOf(endpoint, rest), request)
  } catch {
    // fetch rejects for one reason only: no answer came. Its own words differ by browser and help nobody.
    throw new CallFailed({ code: 'unreachable', sentence: say.unreachable })
  }
  if (!response.ok) throw new CallFailed(await troubleOf(response))
  if (response.status === 204) return {} as Reply<E>
  try {
    return (await response.json()) as Reply<E>
  } catch {
    // Something in between answered with a page of its own.
    throw new CallFailed({ code: 'unreachable', sentence: say.unexpectedAnswer(response.status) })
  }
}

async function troubleOf(response: Response): Promise<Trouble> {
  const body = (await response.json().catch(() => undefined)) as Failure | undefined
  const trouble: Trouble = body?.error ?? { code: 'fault', sentence: say.unexpectedAnswer(response.status) }
  if (trouble.code === 'not-signed-in') whenSignedOut()
  return trouble
}

/** The trouble in whatever was thrown; a bug of our own page is thrown on. */
export function troubleIn(thrown: unknown): Trouble {
  if (thrown instanceof CallFailed) return thrown.trouble
  throw thrown
}
