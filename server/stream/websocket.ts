/** Streams over WebSocket: RFC 7395. */
import type { Server as HttpServer, IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { type WebSocket, WebSocketServer } from 'ws'
import type { CertificateInUse, ServerTls } from '../net/tls.ts'
import { StreamError } from '../xmpp/errors.ts'
import { ClientStream } from './c2s.ts'
import { bindingData, bindingTypes } from './channel-binding.ts'
import type { Streams } from './streams.ts'
import { isLoopback, plainAddress } from './throttle.ts'
import type { Transport, TransportListener } from './transport.ts'

const PATHS: readonly string[] = ['/ws', '/xmpp-websocket']
const PROTOCOL = 'xmpp'
/** RFC 6455 §7.4.1: data of a type that is not accepted. */
const UNSUPPORTED_DATA = 1003

export interface WebSocketOptions {
  readonly streams: Streams
  /** An HTTP or HTTPS server that exists already. */
  readonly server: HttpServer
  /** The certificates of an HTTPS server: needed for channel binding. */
  readonly tls?: ServerTls
  /** Login without encryption is allowed: load tests only. Holds for connections from a loopback address only. */
  readonly allowPlaintext?: boolean
  /** Paths that are answered; by default /ws and /xmpp-websocket. */
  readonly paths?: readonly string[]
}

/**
 * Takes WebSockets of XMPP clients on a server that exists. Upgrades of other paths are left to others, or refused when
 * there are none.
 * @returns what ends it, and with it the streams on this server: an HTTP server that closes waits for them. Sessions that
 *   can be resumed rest.
 */
export function acceptWebSocket(options: WebSocketOptions): { close(): void } {
  const { streams, server, paths = PATHS } = options
  const acceptor = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    clientTracking: false,
    handleProtocols: protocols => (protocols.has(PROTOCOL) ? PROTOCOL : false),
  })
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const path = URL.parse(request.url ?? '', 'http://host')?.pathname ?? ''
    if (!paths.includes(path)) {
      if (server.listenerCount('upgrade') === 1) refuse(socket, '404 Not Found')
      return
    }
    const address = plainAddress(request.socket.remoteAddress)
    // RFC 7395 §3.1: without the subprotocol it is not for us.
    if (!offersXmpp(request)) refuse(socket, '400 Bad Request')
    else if (streams.isClosed) refuse(socket, '503 Service Unavailable')
    else if (!streams.throttle.connected(address)) refuse(socket, '429 Too Many Requests')
    else {
      // A handshake that fails ends the socket without calling back.
      acceptor.options.maxPayload = streams.settings.maxStanzaBytes
      const release = (): void => streams.throttle.disconnected(address)
      socket.once('close', release)
      acceptor.handleUpgrade(request, socket, head, webSocket => {
        socket.off('close', release)
        const isPlaintextAllowed = options.allowPlaintext === true && isLoopback(address)
        const transport = new WebSocketTransport(webSocket, request, {
          acceptor,
          address,
          tls: options.tls,
          // No browser can bind a login, and stanza.js chooses to and fails: offered only where an admin asks for it.
          binds: streams.settings.bindWebSockets,
          isPlaintextAllowed,
        })
        transport.listener = new ClientStream(streams, transport)
      })
    }
  }
  server.on('upgrade', onUpgrade)
  return {
    close() {
      server.off('upgrade', onUpgrade)
      acceptor.close()
      for (const stream of streams) {
        if (stream.wire instanceof WebSocketTransport && stream.wire.acceptor === acceptor) {
          stream.abandon(new StreamError('system-shutdown'))
        }
      }
    },
  }
}

function offersXmpp(request: IncomingMessage): boolean {
  const offered = request.headers['sec-websocket-protocol'] ?? ''
  return offered.split(',').some(protocol => protocol.trim() === PROTOCOL)
}

function refuse(socket: Duplex, status: string): void {
  socket.on('error', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

/** One WebSocket: each element is a message. */
class WebSocketTransport implements Transport {
  readonly kind = 'websocket'
  readonly mode = 'document'
  // RFC 7395 §3.9
  readonly startTls = undefined
  readonly acceptor: WebSocketServer
  readonly address: string
  readonly isPlaintextAllowed: boolean
  listener: TransportListener | undefined
  readonly #webSocket: WebSocket
  readonly #socket: Duplex
  /** The certificate that was shown, when logins are bound to it. */
  readonly #shown: CertificateInUse | undefined

  constructor(
    webSocket: WebSocket,
    request: IncomingMessage,
    options: {
      acceptor: WebSocketServer
      address: string
      tls: ServerTls | undefined
      binds: boolean
      isPlaintextAllowed: boolean
    },
  ) {
    this.acceptor = options.acceptor
    this.address = options.address
    this.isPlaintextAllowed = options.isPlaintextAllowed
    this.#webSocket = webSocket
    this.#socket = request.socket
    this.#shown = options.binds ? options.tls?.current : undefined
    webSocket.on('message', (data, isBinary) => this.#received(data as Buffer, isBinary))
    webSocket.on('pong', () => this.listener?.heard())
    webSocket.on('error', error => this.#failed(error))
    webSocket.on('close', () => this.listener?.closed())
  }

  get isSecure(): boolean {
    return this.#socket instanceof TLSSocket
  }

  get waitingBytes(): number {
    return this.#webSocket.bufferedAmount
  }

  get channelBindings(): readonly string[] {
    if (!this.#shown || !(this.#socket instanceof TLSSocket)) return []
    return bindingTypes(this.#socket, this.#shown.certificateHash)
  }

  channelBinding(type: string): Buffer | undefined {
    if (!this.#shown || !(this.#socket instanceof TLSSocket)) return undefined
    return bindingData(type, this.#socket, this.#shown.certificateHash)
  }

  write(parts: readonly Buffer[]): void {
    const { readyState, OPEN } = this.#webSocket
    if (readyState !== OPEN) return
    this.#socket.cork()
    for (const part of parts) this.#webSocket.send(part, { binary: false })
    this.#socket.uncork()
  }

  keepAlive(): void {
    // RFC 7395 §3.8: no blanks between messages.
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#webSocket.ping()
  }

  pause(): void {
    this.#webSocket.pause()
  }

  resume(): void {
    this.#webSocket.resume()
  }

  finish(): void {
    this.#webSocket.close()
  }

  destroy(): void {
    this.#webSocket.terminate()
  }

  // A connection that breaks is not the client's fault; frames that break the rules of RFC 6455 are.
  #failed(error: Error & { code?: string }): void {
    if (error.code?.startsWith('WS_ERR_')) this.listener?.violated(error.message)
  }

  #received(data: Buffer, isBinary: boolean): void {
    // RFC 7395 §3.2
    if (!isBinary) this.listener?.received(data)
    else {
      this.#webSocket.close(UNSUPPORTED_DATA)
      this.listener?.violated('Messages of XMPP are text.')
    }
  }
}
