/** What the shell asks its server: a few lines of the admin contract. Only its types come from there: nothing of the server runs in the shell. */
import http from 'node:http'
import type { getDesktop, pauseHere, resumeHere, stopHere } from '../server/admin/contract/desktop.ts'
import type { Body, Endpoint, Method, Params, Reply } from '../server/admin/contract/endpoint.ts'
import type { Failure, Problem } from '../server/admin/contract/errors.ts'
import type { followEvents } from '../server/admin/contract/events.ts'
import type { answerJoin } from '../server/admin/contract/nodes.ts'
import type { createLink } from '../server/admin/contract/session.ts'
import type { RunFile } from './run-file.ts'

const ANSWER_MS = 5_000
/** Handing people over, and letting a PC in, take their time. */
const ACTION_MS = 120_000
const ANSWER_BYTES_MAX = 1024 * 1024

/** One endpoint, with the types of the contract. */
export interface Line<E> {
  readonly method: Method
  readonly path: string
  /** Never there: carries the types. */
  readonly of?: E
}

const line = <E>(method: Method, path: string): Line<E> => ({ method, path })

/** Those that the shell uses; a test compares them with the contract. */
export const lines = {
  getDesktop: line<typeof getDesktop>('GET', '/api/desktop'),
  pauseHere: line<typeof pauseHere>('POST', '/api/desktop/pause'),
  resumeHere: line<typeof resumeHere>('POST', '/api/desktop/resume'),
  stopHere: line<typeof stopHere>('POST', '/api/desktop/stop'),
  answerJoin: line<typeof answerJoin>('POST', '/api/nodes/requests/:id'),
  createLink: line<typeof createLink>('POST', '/api/session/link'),
  followEvents: line<typeof followEvents>('GET', '/api/events'),
} as const

/** Why a question was not answered. */
export class AskFault extends Error {
  override readonly name = 'AskFault'
  /** What the server said; undefined when it did not answer. */
  readonly problem: Problem | undefined

  constructor(sentence: string, problem?: Problem) {
    super(sentence)
    this.problem = problem
  }
}

/** What goes with a question. */
export interface AskInput<E> {
  readonly params?: Params<E>
  readonly body?: Body<E>
}

/**
 * Asks the server on this PC.
 * @throws AskFault with a sentence to show
 */
export async function ask<E extends Endpoint>(
  run: RunFile,
  { method, path }: Line<E>,
  input: AskInput<E> = {},
): Promise<Reply<E>> {
  const body = method === 'GET' ? undefined : JSON.stringify(input.body ?? {})
  const params = new Map<string, unknown>(Object.entries(input.params ?? {}))
  const filled = path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(params.get(name))))
  const { status, text } = await send(run, { method, path: filled, body })
  const answer = parse(text)
  if (status >= 200 && status < 300 && answer !== undefined) return answer as Reply<E>
  const problem = (answer as Failure | undefined)?.error
  throw new AskFault(problem?.sentence ?? `Chat on this PC answered with ${status}, which was not expected.`, problem)
}

/** What a request to the own server needs: nothing is asked twice, and no connection is kept for later. */
export function requestOptions(run: RunFile, more: http.RequestOptions): [URL, http.RequestOptions] {
  const headers = { authorization: `Bearer ${run.token}`, ...more.headers }
  return [new URL(more.path ?? '/', run.adminUrl), { agent: false, ...more, headers }]
}

function send(
  run: RunFile,
  { method, path, body }: { method: Method; path: string; body: string | undefined },
): Promise<{ status: number; text: string }> {
  const length =
    body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
  const [url, options] = requestOptions(run, { method, path, headers: length })
  const patienceMs = method === 'GET' ? ANSWER_MS : ACTION_MS
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(late)
      request.destroy()
      reject(new AskFault(`Chat on this PC cannot be reached: ${why}.`))
    }
    const late = setTimeout(() => fail('it did not answer in time'), patienceMs)
    const request = http.request(url, options, response => {
      const chunks: Buffer[] = []
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > ANSWER_BYTES_MAX) fail('it answered too much')
        else chunks.push(chunk)
      })
      response.on('close', () => {
        if (!response.complete) return fail('it ended in the middle of an answer')
        clearTimeout(late)
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() })
      })
      response.on('error', error => fail(error.message))
    })
    request.on('error', error => fail(error.message))
    request.end(body)
  })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // a page, or half an answer
  }
}
