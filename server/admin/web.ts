/** The web ports: WebSocket for chat apps (RFC 7395) is attached by stream/; here is how apps find it (XEP-0156). */
import type http from 'node:http'
import fastify from 'fastify'
import { acceptProxies, type Proxies } from '../net/proxies.ts'
import type { ServerTls } from '../net/tls.ts'
import { hostnameOf } from './caller.ts'
import { createDoor, listen } from './http.ts'
import { sendAlive, sendReadiness } from './probes.ts'

/** One way to connect (XEP-0156 §3). */
interface Link {
  readonly rel: string
  readonly href: string
}

export interface WebServer {
  /** For `upgrade` listeners. Not listening before `listen`. */
  readonly server: http.Server
  /** @throws Error of node (EADDRINUSE, EACCES) */
  listen(options: { host: string; port: number }): Promise<number>
  close(): Promise<void>
}

/**
 * Makes the server of one web port.
 * @param options.tls HTTPS with this certificate; undefined: plain HTTP
 * @param options.websocketPath where the WebSocket is, beginning with /
 * @param options.securePort the port with TLS that plain requests are told of; undefined: there is none
 */
export async function createWebServer(options: {
  tls?: ServerTls | undefined
  websocketPath: string
  /** Where BOSH is; undefined: nowhere. */
  boshPath?: string | undefined
  securePort?: (() => number | undefined) | undefined
  /** Load balancers that are believed when they tell who connects. */
  proxies?: Proxies | undefined
  /** A sentence when people cannot sign in here now; undefined when they can. */
  notReady?: (() => string | undefined) | undefined
  /** Told why a load balancer was not understood. */
  onRefused?: ((why: string, address: string) => void) | undefined
}): Promise<WebServer> {
  const app = fastify({ logger: false, bodyLimit: 1024, trustProxy: false })
  // XEP-0156 §3: "MUST only use connection URLs starting with 'https://' or 'wss://'".
  const linksFor = ({ headers, raw }: { headers: http.IncomingHttpHeaders; raw: http.IncomingMessage }): Link[] => {
    const host = hostnameOf(headers.host)
    const port = options.tls ? raw.socket.localPort : options.securePort?.()
    if (!host || port === undefined) return []
    const place = `${host.includes(':') ? `[${host}]` : host}:${port}`
    const links = [{ rel: WEBSOCKET, href: `wss://${place}${options.websocketPath}` }]
    if (options.boshPath !== undefined) links.push({ rel: BOSH, href: `https://${place}${options.boshPath}` })
    return links
  }
  app.addHook('onRequest', async (_request, reply) => {
    // XEP-0156 §4: web apps of any origin read these files.
    reply.headers({
      'access-control-allow-origin': '*',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-cache',
    })
  })
  app.get('/.well-known/host-meta', (request, reply) => {
    const links = linksFor(request)
    if (links.length === 0) return reply.callNotFound()
    const lines = links.map(({ rel, href }) => `  <Link rel='${rel}' href='${href}'/>\n`).join('')
    const document = `<?xml version='1.0' encoding='utf-8'?>\n<XRD xmlns='${XRD}'>\n${lines}</XRD>\n`
    return reply.type('application/xrd+xml; charset=utf-8').send(document)
  })
  app.get('/.well-known/host-meta.json', (request, reply) => {
    const links = linksFor(request)
    if (links.length === 0) return reply.callNotFound()
    return reply.type('application/json; charset=utf-8').send({ links })
  })
  // For load balancers: this is the port their checks reach.
  app.get('/health/live', (_request, reply) => sendAlive(reply))
  app.get('/health/ready', (_request, reply) => sendReadiness(reply, options.notReady?.()))
  app.setNotFoundHandler((_request, reply) =>
    reply
      .code(404)
      .type('text/plain; charset=utf-8')
      .send('This port is for chat apps. The pages for administrators are on another one.\n'),
  )
  await app.ready()
  const { server, release } = createDoor(app, options.tls)
  // Every chat app in a browser is a connection, with BOSH two.
  server.maxConnections = CONNECTIONS_MAX
  if (options.proxies) acceptProxies(server, options.proxies, options.onRefused ?? (() => undefined))
  return {
    server,
    listen: async where => {
      await listen(server, where)
      const address = server.address()
      return typeof address === 'object' && address ? address.port : where.port
    },
    close: async () => {
      release()
      await new Promise<void>(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
      await app.close()
    },
  }
}

/** Chat apps at one web port. */
const CONNECTIONS_MAX = 20_000
const WEBSOCKET = 'urn:xmpp:alt-connections:websocket'
const BOSH = 'urn:xmpp:alt-connections:xbosh'
const XRD = 'http://docs.oasis-open.org/ns/xri/xrd-1.0'
