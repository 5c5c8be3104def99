/** Where a request comes from and who sent it, as far as the connection and its headers tell. */
import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'

/** The socket of a request. */
export interface Origin {
  /** IP address, IPv4-mapped IPv6 as IPv4. */
  readonly address: string
  /** It comes from this very machine: over loopback, or from the address it went to. */
  readonly isLocal: boolean
  readonly isSecure: boolean
  /** The port it came in on. */
  readonly port: number
}

/** Who asks, once that is known. */
export interface Caller {
  /** person: signed in by cookie; token: a script; pc: the command line or tray of this very PC. */
  readonly kind: 'person' | 'token' | 'pc'
  /** The account it acts for; undefined for the PC. */
  readonly username: string | undefined
  /** For the history: the name of the person, of the token, or of the PC. */
  readonly name: string
  readonly address: string
  /** The secret of its cookie session, hashed. */
  readonly sessionKey?: string
}

/** Reads the socket. */
export function originOf(request: FastifyRequest): Origin {
  const socket = request.raw.socket as {
    remoteAddress?: string
    localAddress?: string
    localPort?: number
    encrypted?: boolean
  }
  const address = plainAddress(socket.remoteAddress ?? '')
  return {
    address,
    isLocal: isLoopback(address) || (address !== '' && address === plainAddress(socket.localAddress ?? '')),
    isSecure: socket.encrypted === true,
    port: socket.localPort ?? 0,
  }
}

/** `::ffff:192.0.2.1` → `192.0.2.1`; zone ids are dropped. */
export function plainAddress(address: string): string {
  const bare = address.replace(/%.*$/, '')
  return /^::ffff:\d/i.test(bare) ? bare.slice(7) : bare
}

/** An address of this machine that never leaves it. */
function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}

/**
 * Whether the asker sits at this PC: from this machine, not handed on by a proxy on this PC, and asking for this PC by
 * number or as `localhost`. A name in `Host` may have been pointed at us by a stranger's page (DNS rebinding).
 */
export function isHere(request: FastifyRequest, origin: Origin): boolean {
  if (!origin.isLocal) return false
  const { headers } = request
  if (headers.forwarded || headers.via || headers['x-forwarded-for'] || headers['x-real-ip']) return false
  const host = hostnameOf(headers.host)
  return host === 'localhost' || isIP(host) !== 0
}

/** The host of a `Host` header without port and brackets; '' when there is none or it is no host. */
export function hostnameOf(header: string | undefined): string {
  const match = /^(?:\[([\da-f:.]+)\]|([\w.-]+))(?::\d{1,5})?$/i.exec(header ?? '')
  return (match?.[1] ?? match?.[2] ?? '').toLowerCase()
}

/**
 * Whether a changing request was made by our own page: the browser says so (`Sec-Fetch-Site`), or its `Origin` is the
 * very address it was sent to.
 */
export function isFromOwnPage(request: FastifyRequest, isSecure: boolean): boolean {
  const { origin, host } = request.headers
  const site = request.headers['sec-fetch-site']
  const own = `${isSecure ? 'https' : 'http'}://${host ?? ''}`.toLowerCase()
  if (origin !== undefined && origin !== 'null')
    return origin.toLowerCase() === own && (site ?? 'same-origin') === 'same-origin'
  return site === 'same-origin'
}

/** Whether a browser says that another site's page asks; programs say nothing. */
export function isFromOtherSite(request: FastifyRequest): boolean {
  const site = request.headers['sec-fetch-site']
  return site === 'cross-site' || site === 'same-site'
}
