/** Streams over HTTP requests: XEP-0124 (BOSH) and XEP-0206 (XMPP over BOSH). For networks that let nothing else through. */
import type { Server as HttpServer, IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { TLSSocket } from 'node:tls'
import { StreamError } from '../xmpp/errors.ts'
import { readBody, terminationOf } from './bosh-body.ts'
import { BoshTransport, reply } from './bosh-session.ts'
import { ClientStream } from './c2s.ts'
import type { Streams } from './streams.ts'
import { isLoopback, plainAddress } from './throttle.ts'

/** Where BOSH is answered. */
export const BOSH_PATH = '/http-bind'
const SWEEP_MS = 1_000
/** A `<body/>` around the longest stanza. */
const WRAPPER_BYTES = 4 * 1024
/** Attributes of `<body/>` stand in its first bytes. */
const SID = /\ssid\s*=\s*["']([^"']{1,100})["']/

export interface BoshAcceptOptions {
  readonly streams: Streams
  /** An HTTP or HTTPS server that exists already and answers requests. */
  readonly server: HttpServer
  /** Login without encryption is allowed: load tests only. Holds for requests from a loopback address only. */
  readonly allowPlaintext?: boolean
}

const corsHeaders = {
  // XEP-0124 §18: web apps of any origin use this. There are no cookies here that they could misuse.
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'POST, OPTIONS',
  'access-control-allow-headers': 'content-type',
  'access-control-max-age': '86400',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
} as const

/**
 * Answers BOSH clients on a server that exists; other requests are left to it.
 * @returns what ends it, and with it the streams on this server. Sessions that can be resumed rest.
 */
export function acceptBosh(options: BoshAcceptOptions): { close(): void } {
  const { streams, server } = options
  const sessions = new Map<string, { readonly transport: BoshTransport; readonly stream: ClientStream }>()
  const others = server.listeners('request') as RequestListener[]
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    if (pathOf(request) === BOSH_PATH) void take(request, response)
    else for (const other of others) other.call(server, request, response)
  }
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.on('error', () => response.destroy())
    for (const [name, value] of Object.entries(corsHeaders)) response.setHeader(name, value)
    if (request.method === 'OPTIONS') {
      response.writeHead(204).end()
      return
    }
    if (request.method !== 'POST') {
      response.writeHead(405, { allow: 'POST, OPTIONS', 'content-type': 'text/plain' })
      response.end('This address is for chat apps.\n')
      return
    }
    const bytes = await bytesOf(request, start => bytesAllowed(start))
    if (!bytes) {
      if (!response.destroyed) response.writeHead(413, { connection: 'close' }).end()
      return
    }
    handle(bytes, request, response)
  }
  const bytesAllowed = (start: Buffer): number => {
    const { bytesBeforeLogin, maxStanzaBytes } = streams.settings
    const known = sessions.get(SID.exec(start.toString('latin1', 0, WRAPPER_BYTES))?.[1] ?? '')
    return (known?.stream.username === undefined ? bytesBeforeLogin : maxStanzaBytes) + WRAPPER_BYTES
  }
  const handle = (bytes: Buffer, request: IncomingMessage, response: ServerResponse): void => {
    const { maxStanzaBytes, depth } = streams.settings
    try {
      const body = readBody(bytes, { stanzaBytes: maxStanzaBytes, depth })
      if (body.sid === undefined) create(body, request, response)
      // Also a session of another node of the office: the balancer has to send all of a session to one.
      else if (!sessions.has(body.sid)) reply(response, terminationOf('item-not-found'))
      else sessions.get(body.sid)?.transport.take(body, response)
    } catch (error) {
      if (!(error instanceof StreamError)) streams.parts.log.error({ err: error }, 'BOSH stumbled over a bug')
      reply(response, terminationOf('bad-request'))
    }
  }
  const create = (body: ReturnType<typeof readBody>, request: IncomingMessage, response: ServerResponse): void => {
    const address = plainAddress(request.socket.remoteAddress)
    if (streams.isClosed) {
      reply(response, terminationOf('system-shutdown'))
      return
    }
    if (!streams.throttle.connected(address)) {
      reply(response, terminationOf('policy-violation'))
      return
    }
    const { domain, randomId, now } = streams.parts
    const sid = randomId()
    const transport = new BoshTransport(body, {
      sid,
      domain,
      address,
      isSecure: request.socket instanceof TLSSocket,
      isPlaintextAllowed: options.allowPlaintext === true && isLoopback(address),
      now,
      onOver: () => sessions.delete(sid),
    })
    const stream = new ClientStream(streams, transport)
    transport.listener = stream
    sessions.set(sid, { transport, stream })
    transport.take(body, response)
  }
  const sweep = setInterval(() => {
    for (const { transport } of sessions.values()) transport.sweep()
  }, SWEEP_MS)
  sweep.unref()
  server.removeAllListeners('request')
  server.on('request', answer)
  return {
    close() {
      clearInterval(sweep)
      for (const { stream } of [...sessions.values()]) stream.abandon(new StreamError('system-shutdown'))
    },
  }
}

function pathOf({ url = '' }: IncomingMessage): string {
  const path = url.split('?', 1)[0] ?? ''
  return path.endsWith('/') ? path.slice(0, -1) : path
}

/**
 * Reads a request to its end.
 * @param allowed how many bytes it may have, judged by its first ones
 * @returns undefined when it has more, or broke off
 */
async function bytesOf(request: IncomingMessage, allowed: (start: Buffer) => number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  let limit: number | undefined
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      limit ??= allowed(chunk)
      length += chunk.length
      if (length > limit) return undefined
      chunks.push(chunk)
    }
  } catch {
    // The client went away in the middle: nobody is there to be told.
    return undefined
  }
  return Buffer.concat(chunks, length)
}
