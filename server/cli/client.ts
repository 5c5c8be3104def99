/** Calls the admin API of the server that runs on a data folder, over loopback, as this PC. */
import { readFile } from 'node:fs/promises'
import http from 'node:http'
import https from 'node:https'
import path from 'node:path'
import tls from 'node:tls'
import type { Body, Endpoint, Params, Query, Reply } from '../admin/contract/endpoint.ts'
import type { Failure, Problem } from '../admin/contract/errors.ts'
import { type RunFile, readRunFile } from './run-file.ts'

const ANSWER_MS = 30_000
const ANSWER_BYTES_MAX = 64 * 1024 * 1024

/** Why nothing came back: a sentence for the person at the terminal. */
export class CallFault extends Error {
  override readonly name = 'CallFault'
  /** What the server said; undefined when it did not answer. */
  readonly problem: Problem | undefined

  constructor(sentence: string, problem?: Problem) {
    super(sentence)
    this.problem = problem
  }
}

export interface CallInput<E> {
  readonly params?: Params<E>
  readonly query?: Query<E>
  readonly body?: Body<E>
}

/** Calls endpoints. */
export type Client = <E extends Endpoint>(endpoint: E, input?: CallInput<E>) => Promise<Reply<E>>

/**
 * Finds the running server.
 * @param folder its data folder
 * @param runFolder where that of the system is found; undefined when somebody named the data folder: then it is that one or none
 * @throws CallFault when none runs there; each call throws it with what the server refused
 */
export async function connect(folder: string, runFolder?: string): Promise<Client> {
  const run = await findRun(folder, runFolder)
  const where = `on the data folder ${folder}`
  if (!run)
    throw new CallFault(`No server runs ${where}: start it with “lanthorn run”, or name another folder with --data.`)
  const ca = run.adminUrl.startsWith('https:') ? await trusted(folder) : undefined
  return async (endpoint, input = {}) => {
    const { status, text } = await send(run, ca, endpoint, input)
    const answer = parse(text)
    if (status >= 200 && status < 300 && answer !== undefined) return answer as never
    const problem = (answer as Failure | undefined)?.error
    throw new CallFault(problem?.sentence ?? `The server answered with ${status}, which was not expected.`, problem)
  }
}

/** The running server: that of the data folder, else the one of the system. @throws CallFault when there may be one, but not for this user */
export async function findRun(folder: string, runFolder?: string): Promise<RunFile | undefined> {
  const own = await readOrRefused(folder)
  if (own && own !== 'refused') return own
  const system = runFolder === undefined ? undefined : await readOrRefused(runFolder)
  if (system && system !== 'refused') return system
  if (own)
    throw new CallFault(
      `The server on the data folder ${folder} belongs to another user: run this as that user, or as an administrator.`,
    )
  if (system)
    throw new CallFault(
      'The server of this computer is not open to this user: run this as an administrator, or as a member of the group lanthorn.',
    )
  return undefined
}

async function readOrRefused(folder: string): Promise<RunFile | 'refused' | undefined> {
  try {
    return await readRunFile(folder)
  } catch {
    return 'refused'
  }
}

/** The office's own authority, besides what everybody trusts. */
async function trusted(folder: string): Promise<string[]> {
  try {
    return [...tls.rootCertificates, await readFile(path.join(folder, 'certificates', 'office-ca.pem'), 'utf8')]
  } catch {
    // An office with a bought certificate may do without an own authority.
    return [...tls.rootCertificates]
  }
}

function send<E extends Endpoint>(
  run: RunFile,
  ca: string[] | undefined,
  endpoint: E,
  input: CallInput<E>,
): Promise<{ status: number; text: string }> {
  const url = new URL(addressOf(endpoint, input), run.adminUrl)
  const body = endpoint.method === 'GET' ? undefined : JSON.stringify(input.body ?? {})
  const headers = {
    authorization: `Bearer ${run.token}`,
    ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
  }
  const options = { method: endpoint.method, headers, timeout: ANSWER_MS, agent: false, ...(ca && { ca }) }
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? https : http).request(url, options, response => {
      const chunks: Buffer[] = []
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > ANSWER_BYTES_MAX) request.destroy(new Error('it answered too much'))
        else chunks.push(chunk)
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }))
      response.on('error', reject)
    })
    request.on('timeout', () => request.destroy(new Error(`it did not answer within ${ANSWER_MS / 1000} seconds`)))
    request.on('error', error =>
      reject(new CallFault(`The server at ${url.origin} cannot be reached: ${error.message}.`)),
    )
    request.end(body)
  })
}

function addressOf<E extends Endpoint>(endpoint: E, input: CallInput<E>): string {
  const params = new Map(Object.entries(input.params ?? {}))
  const address = endpoint.path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(params.get(name))))
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(input.query ?? {})) query.set(name, String(value))
  return query.size > 0 ? `${address}?${query}` : address
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // A page, or half an answer.
    return undefined
  }
}
