/** Load balancers in front of a port: which ones are believed, and whom their connections are for. */
import net from 'node:net'
import type tls from 'node:tls'
import { readProxyHeader } from './proxy-protocol.ts'

/** How long a balancer may take to say for whom it connects. */
const HEADER_MS = 5_000
/** Balancers and networks of them that may be named. */
const PROXIES_MAX = 64

/** Addresses of balancers. Only they are believed, and they must tell for whom they connect. */
export class Proxies {
  readonly #list: () => string
  #read = ''
  #allowed: net.BlockList | undefined

  /** @param list addresses and networks ('10.0.0.2, fd00::/64') as they are set now; a text that cannot be read counts as empty */
  constructor(list: () => string) {
    this.#list = list
  }

  /** Whether this address is one of them. */
  has(address: string): boolean {
    const list = this.#list()
    if (list !== this.#read) {
      this.#read = list
      const parsed = parseProxies(list)
      this.#allowed = typeof parsed === 'string' ? undefined : parsed
    }
    const plain = unmapped(address)
    return this.#allowed?.check(plain, net.isIPv6(plain) ? 'ipv6' : 'ipv4') ?? false
  }
}

/** Reads a list of addresses and networks. @returns undefined for an empty one, a sentence when it cannot be read */
export function parseProxies(list: string): net.BlockList | undefined | string {
  const entries = list.split(/[\s,]+/).filter(entry => entry !== '')
  if (entries.length === 0) return undefined
  if (entries.length > PROXIES_MAX) return `At most ${PROXIES_MAX} addresses can be named here.`
  const allowed = new net.BlockList()
  for (const entry of entries) {
    const [address = '', prefix, more] = entry.split('/')
    const family = net.isIPv4(address) ? 'ipv4' : 'ipv6'
    const bits = family === 'ipv4' ? 32 : 128
    const length = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1
    if (!net.isIP(address) || more !== undefined || length < 0 || length > bits) {
      return `“${entry}” is no address and no network: write 10.0.0.2, 10.0.0.0/24 or fd00::/64.`
    }
    allowed.addSubnet(address, length, family)
  }
  return allowed
}

/**
 * Finds out for whom a new connection is. Nothing else may have been read from the socket.
 * @param then called with the address, unless the connection ends before: who connects as known from the socket, or as its balancer says. What
 *   follows the header is on the socket still
 * @param refused called with why a balancer was not understood; the socket is gone then
 */
export function withTrueAddress(
  socket: net.Socket,
  proxies: Proxies,
  then: (address: string) => void,
  refused: (why: string) => void,
): void {
  const own = unmapped(socket.remoteAddress ?? '')
  if (!proxies.has(own)) {
    then(own)
    return
  }
  let bytes: Buffer = Buffer.alloc(0)
  const end = (): void => {
    clearTimeout(deadline)
    socket.off('readable', read)
    socket.off('error', fail)
    socket.off('close', end)
  }
  const refuse = (why: string): void => {
    end()
    socket.on('error', () => socket.destroy())
    socket.destroy()
    refused(why)
  }
  const fail = (): void => void socket.destroy()
  const read = (): void => {
    const chunk = socket.read() as Buffer | null
    if (!chunk) return
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
    const header = readProxyHeader(bytes)
    if (header.kind === 'more') return
    if (header.kind === 'bad') {
      refuse(header.why)
      return
    }
    end()
    if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length))
    then(header.source ? unmapped(header.source.address) : own)
  }
  const deadline = setTimeout(() => refuse('it said nothing in time'), HEADER_MS)
  socket.on('readable', read)
  socket.on('error', fail)
  socket.on('close', end)
}

/**
 * Puts balancers in front of an HTTP or HTTPS server: the `remoteAddress` of its connections is the true one.
 * @param server its 'connection' listeners must be there already
 */
export function acceptProxies(
  server: net.Server | tls.Server,
  proxies: Proxies,
  refused: (why: string, address: string) => void,
): void {
  const listeners = server.listeners('connection') as ((socket: net.Socket) => void)[]
  server.removeAllListeners('connection')
  // A TLS connection of Node does not tell from which one it was made; its ends are the same while both are open.
  const trueAddresses = new Map<string, string>()
  server.on('connection', (socket: net.Socket) => {
    const own = socket.remoteAddress ?? ''
    withTrueAddress(
      socket,
      proxies,
      address => {
        if (address !== unmapped(own)) {
          const key = endsOf(socket)
          trueAddresses.set(key, address)
          socket.once('close', () => trueAddresses.delete(key))
          isFrom(socket, address)
        }
        for (const listener of listeners) listener.call(server, socket)
      },
      why => refused(why, own),
    )
  })
  server.prependListener('secureConnection', (socket: tls.TLSSocket) => {
    const address = trueAddresses.get(endsOf(socket))
    if (address !== undefined) isFrom(socket, address)
  })
}

const endsOf = (socket: net.Socket): string => `${socket.remoteAddress} ${socket.remotePort} ${socket.localPort}`

function isFrom(socket: net.Socket, address: string): void {
  Object.defineProperty(socket, 'remoteAddress', { value: address, configurable: true })
}

/** An IPv4 address that came to an IPv6 socket is written as IPv4. */
function unmapped(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address
}
