/** The app behind both admin ports: headers, limits, errors, pages. Made by functions; nothing happens at import. */
import { randomBytes } from 'node:crypto'
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import cookie from '@fastify/cookie'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { alpn, type ServerTls } from '../net/tls.ts'
import { hostnameOf } from './caller.ts'
import { statusOf } from './contract/errors.ts'
import type { Gate } from './gate.ts'
import { failure, problemOf, refusal } from './problem.ts'

/** Limits of one HTTP server; all times in milliseconds. */
const HEADERS_MS = 10_000
const REQUEST_MS = 30_000
const KEEP_ALIVE_MS = 15_000
const HEADER_BYTES_MAX = 16 * 1024
const CONNECTIONS_MAX = 500

const securityHeaders = {
  // Own files only: no inline script or style, no frame around us, nothing from elsewhere.
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=(), payment=()',
  // No strict-transport-security: an office certificate that has been replaced must not lock the office out.
} as const

/**
 * Makes the app without its endpoints and without a listening server.
 * @param options.securePort where HTTPS is, for those who come without; undefined while there is none
 */
export async function createApp(options: {
  gate: Gate
  log: Logger
  securePort: () => number | undefined
}): Promise<FastifyInstance> {
  const { gate, log } = options
  const app = fastify({
    logger: false,
    bodyLimit: 16 * 1024,
    trustProxy: false,
    routerOptions: { maxParamLength: 3_100 * 3, caseSensitive: true },
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: true, allowUnionTypes: true } },
  })
  await app.register(cookie)
  app.removeContentTypeParser('text/plain')
  app.decorateRequest('origin')
  app.decorateRequest('caller')
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(securityHeaders)
    gate.receive(request)
    if (!request.origin.isSecure && !request.origin.isLocal) return sendToHttps(request, reply, options.securePort())
  })
  app.addHook('onResponse', async (request, reply) => {
    const { method } = request
    const path = request.url.split('?')[0]
    log.debug({ method, path, status: reply.statusCode, ms: Math.round(reply.elapsedTime) }, 'admin request answered')
  })
  app.setErrorHandler((error, request, reply) => answerError(error, request, reply, log))
  app.setNotFoundHandler((request, reply) =>
    answerError(refusal('not-found', 'There is nothing at this address.'), request, reply, log),
  )
  return app
}

/** Without TLS nothing is served to others: not the pages, and least of all a form for a password. */
function sendToHttps(request: FastifyRequest, reply: FastifyReply, port: number | undefined): FastifyReply {
  const host = hostnameOf(request.headers.host)
  reply.type('text/plain; charset=utf-8').header('cache-control', 'no-store')
  if (port === undefined || !host) {
    const why = 'Chat is not set up on this PC yet. Set-up is done on the PC itself: open this address there.\n'
    return reply.code(403).send(why)
  }
  const isPage = request.method === 'GET' || request.method === 'HEAD'
  const secure = `https://${host.includes(':') ? `[${host}]` : host}:${port}`
  if (!isPage) return reply.code(403).send(`From other PCs this is only answered encrypted: use ${secure}.\n`)
  return reply
    .code(307)
    .header('location', secure + request.url)
    .send(`From other PCs these pages are encrypted: go to ${secure}.\n`)
}

function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Logger): FastifyReply {
  let problem = problemOf(error)
  if (!problem) {
    const id = randomBytes(4).toString('hex')
    log.error({ err: error, id, method: request.method, path: request.routeOptions.url }, 'admin request failed')
    problem = { code: 'fault', sentence: `Something is wrong in the server. The log has the details under ${id}.` }
  }
  if (problem.waitSeconds !== undefined) reply.header('retry-after', problem.waitSeconds)
  return reply
    .code(statusOf[problem.code])
    .type('application/json; charset=utf-8')
    .header('cache-control', 'no-store')
    .send(JSON.stringify(failure(problem)))
}

/** A listening HTTP or HTTPS server. */
export interface Door {
  readonly port: number
  /** HTTPS only: shows this certificate from now on, and what it is replaced by. */
  show(tls: ServerTls): void
  /** Cuts what is open and closes the port. */
  close(): Promise<void>
}

/** A server with our limits in front of an app. Not listening yet. */
export interface ClosedDoor {
  readonly server: http.Server
  show(tls: ServerTls): void
  /** Follows the certificate no longer. */
  release(): void
}

/** Makes one; with `tls` it is HTTPS and shows what that has, also after a reload. */
export function createDoor(app: FastifyInstance, tls: ServerTls | undefined): ClosedDoor {
  const limits = {
    headersTimeout: HEADERS_MS,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: HEADER_BYTES_MAX,
    connectionsCheckingInterval: 5_000,
  }
  const answer = (request: http.IncomingMessage, response: http.ServerResponse): void => app.routing(request, response)
  if (!tls) {
    const server = http.createServer(limits, answer)
    server.maxConnections = CONNECTIONS_MAX
    return { server, show: () => undefined, release: () => undefined }
  }
  const server = https.createServer({ ...limits, ...tls.serverOptions({ alpn: alpn.web }) }, answer)
  server.maxConnections = CONNECTIONS_MAX
  let release = tls.attach(server)
  return {
    server,
    release: () => release(),
    show: next => {
      release()
      server.setSecureContext(next.serverOptions({ alpn: alpn.web }))
      release = next.attach(server)
    },
  }
}

/**
 * Opens a port in front of an app.
 * @throws Error of node (EADDRINUSE, EACCES) for the caller to put into a sentence
 */
export async function openDoor(
  app: FastifyInstance,
  options: { host: string; port: number; tls?: ServerTls | undefined },
): Promise<Door> {
  await app.ready()
  const { server, show, release } = createDoor(app, options.tls)
  await listen(server, options)
  return {
    show,
    port: (server.address() as AddressInfo).port,
    close: async () => {
      release()
      await new Promise<void>(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
  }
}

/** Listens. @throws Error of node */
export async function listen(server: http.Server, options: { host: string; port: number }): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: options.host, port: options.port }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
