/** Streams over TCP: STARTTLS (RFC 6120 §5) and direct TLS with ALPN `xmpp-client` (XEP-0368). */
import net from 'node:net'
import type tls from 'node:tls'
import { withTrueAddress } from '../net/proxies.ts'
import type { CertificateInUse, ServerTls } from '../net/tls.ts'
import { alpn } from '../net/tls.ts'
import { StreamError } from '../xmpp/errors.ts'
import { ClientStream } from './c2s.ts'
import { bindingData, bindingTypes } from './channel-binding.ts'
import { type ClientHeader, streamEnd, streamHeader } from './header.ts'
import { joined } from './outlet.ts'
import type { Streams } from './streams.ts'
import { isLoopback } from './throttle.ts'
import type { Transport, TransportListener } from './transport.ts'

/** After this much silence the operating system asks the other one whether it is there: a PC that was switched off is noticed. */
const TCP_KEEPALIVE_MS = 120_000
const BACKLOG = 1024
const NOBODY: ClientHeader = { from: undefined, lang: undefined }
const BLANK = Buffer.from(' ')

export interface TcpOptions {
  readonly streams: Streams
  readonly tls: ServerTls
  /** The address to listen on; '::' or '0.0.0.0' for all. */
  readonly host: string
  /** 0 = any free one. */
  readonly port: number
  /** 'starttls': plain until STARTTLS, which is required. 'tls': TLS from the first byte. */
  readonly mode: 'starttls' | 'tls'
  /** Login without encryption is allowed: load tests only. Ignored unless `host` is a loopback address. */
  readonly allowPlaintext?: boolean
}

/** A listener that runs. */
export interface Listener {
  readonly port: number
  /** Takes no more connections. Those it took go on; `Streams.close` ends them. */
  close(): Promise<void>
}

/**
 * Listens for clients.
 * @throws Error of the operating system (EADDRINUSE, EACCES, …) when it cannot
 */
export async function listenTcp(options: TcpOptions): Promise<Listener> {
  const { streams, mode, host, port } = options
  const isPlaintextAllowed = mode === 'starttls' && options.allowPlaintext === true && isLoopback(host)
  const server = net.createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEPALIVE_MS }, socket =>
    withTrueAddress(
      socket,
      streams.proxies,
      address => take(socket, address),
      why => streams.parts.log.warn({ port, why }, 'a load balancer was not understood'),
    ),
  )
  const take = (socket: net.Socket, address: string): void => {
    if (streams.isClosed) {
      socket.destroy()
      return
    }
    if (!streams.throttle.connected(address)) {
      refuse(socket, mode, streams.parts)
      return
    }
    const names = mode === 'tls' ? alpn.c2s : undefined
    const transport = new TcpTransport(socket, { address, tls: options.tls, isPlaintextAllowed, alpn: names })
    transport.listener = new ClientStream(streams, transport)
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.off('error', reject)
      resolve()
    })
  })
  server.on('error', error => streams.parts.log.error({ err: error, port }, 'listener failed'))
  const bound = server.address()
  return {
    port: typeof bound === 'object' && bound ? bound.port : port,
    close: () => new Promise(resolve => closeListening(server, resolve)),
  }
}

// `close` calls back only when the last connection is gone; the port is free at once.
function closeListening(server: net.Server, resolve: () => void): void {
  server.close()
  resolve()
}

/** Tells why, where that costs nothing: a TLS handshake would be what the limit is there to avoid. */
function refuse(socket: net.Socket, mode: TcpOptions['mode'], parts: Streams['parts']): void {
  if (mode === 'tls') {
    socket.destroy()
    return
  }
  const header = streamHeader({ mode: 'stream', domain: parts.domain, id: parts.randomId(), client: NOBODY })
  const error = new StreamError('policy-violation', 'There are too many connections from your address.')
  socket.on('error', () => socket.destroy())
  socket.end(header + error.toXml() + streamEnd('stream'), () => socket.destroy())
}

/** One TCP connection, in the clear or under TLS. */
class TcpTransport implements Transport {
  readonly mode = 'stream'
  readonly address: string
  readonly isPlaintextAllowed: boolean
  listener: TransportListener | undefined
  readonly #tls: ServerTls
  #socket: net.Socket | tls.TLSSocket
  /** The certificate that was shown; undefined while in the clear. */
  #shown: CertificateInUse | undefined

  /** @param options.alpn with these names TLS begins at once */
  constructor(
    socket: net.Socket,
    options: { address: string; tls: ServerTls; isPlaintextAllowed: boolean; alpn: readonly string[] | undefined },
  ) {
    this.address = options.address
    this.#tls = options.tls
    this.isPlaintextAllowed = options.isPlaintextAllowed
    this.#socket = socket
    // Nobody may have listened before TLS does: what stood behind a PROXY header would be lost.
    if (options.alpn) {
      socket.on('error', () => socket.destroy())
      this.secure(options.alpn)
    } else this.#listen(socket)
  }

  get kind(): 'tcp' | 'tls' {
    return this.#shown ? 'tls' : 'tcp'
  }

  get isSecure(): boolean {
    return this.#shown !== undefined
  }

  get waitingBytes(): number {
    return this.#socket.writableLength
  }

  get startTls(): (() => void) | undefined {
    return this.#shown ? undefined : this.#startTls
  }

  get channelBindings(): readonly string[] {
    return this.#shown ? bindingTypes(this.#socket as tls.TLSSocket, this.#shown.certificateHash) : []
  }

  channelBinding(type: string): Buffer | undefined {
    if (!this.#shown) return undefined
    return bindingData(type, this.#socket as tls.TLSSocket, this.#shown.certificateHash)
  }

  /** Puts TLS on the connection. */
  secure(alpnNames?: readonly string[]): void {
    this.#socket.removeAllListeners('data')
    this.#socket.removeAllListeners('close')
    this.#shown = this.#tls.current
    this.#socket = this.#tls.wrap(this.#socket, alpnNames ? { alpn: alpnNames } : {})
    this.#listen(this.#socket)
  }

  write(parts: readonly Buffer[]): void {
    const socket = this.#socket
    if (socket.destroyed) return
    const whole = joined(parts)
    if (whole) {
      socket.write(whole)
      return
    }
    socket.cork()
    for (const part of parts) socket.write(part)
    socket.uncork()
  }

  keepAlive(): void {
    this.write([BLANK])
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  finish(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #listen(socket: net.Socket): void {
    socket.on('data', chunk => this.listener?.received(chunk))
    // `close` follows, and that is all that matters here.
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.listener?.closed())
  }

  readonly #startTls = (): void => this.secure()
}
