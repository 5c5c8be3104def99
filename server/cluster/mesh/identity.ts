/** Who is at the other end of a connection: its certificate is of the office's authority, and its key is the one the office knows a present node by. */
import { createHash, X509Certificate } from 'node:crypto'
import tls from 'node:tls'
import { contextOptions } from '../../net/tls.ts'
import type { KnownNode } from '../node.ts'

/** A node's certificate (leaf, authority behind it) and its private key, PEM. */
export interface NodeCertificate {
  readonly certificate: string
  readonly key: string
}

export const alpnLink = 'lanthorn-link'
export const alpnHazelcast = 'lanthorn-hz'
export const alpnJoin = 'lanthorn-join'

/** Who it is, or why nobody is let in; `isOurs`: the authority has signed it, so it may be told why. */
export type Checked = { readonly node: KnownNode } | { readonly fault: string; readonly isOurs: boolean }

export class Identity {
  readonly #authority: X509Certificate
  readonly #authorityPem: string
  readonly #byKey = new Map<string, KnownNode>()
  #context: tls.SecureContext

  /** @throws Error when authority, certificate or key cannot be read */
  constructor(authority: string, own: NodeCertificate) {
    this.#authority = new X509Certificate(authority)
    this.#authorityPem = authority
    this.#context = this.#contextOf(own)
  }

  /** For new connections, both ways. */
  get context(): tls.SecureContext {
    return this.#context
  }

  /** A renewed certificate: shown on connections from now on. @throws Error when it cannot be used */
  replace(own: NodeCertificate): void {
    this.#context = this.#contextOf(own)
  }

  setNodes(nodes: readonly KnownNode[]): void {
    this.#byKey.clear()
    for (const node of nodes) this.#byKey.set(node.key, node)
  }

  /**
   * Checks the other end after the handshake, in which it has proven that it has the key.
   * The dates in the certificate are not looked at: the list of nodes decides who belongs to the office, and a PC whose clock is wrong, or that was off
   * for a year, must be able to come back and have its certificate renewed.
   */
  check(socket: tls.TLSSocket): Checked {
    if (socket.getProtocol() !== 'TLSv1.3') return { fault: 'it does not speak TLS 1.3', isOurs: false }
    const certificate = socket.getPeerX509Certificate()
    if (!certificate) return { fault: 'it shows no certificate', isOurs: false }
    if (!certificate.checkIssued(this.#authority) || !certificate.verify(this.#authority.publicKey))
      return { fault: 'its certificate was made by another office', isOurs: false }
    const node = this.#byKey.get(keyHash(certificate))
    return node ? { node } : { fault: 'it is not one of the PCs of this office', isOurs: true }
  }

  #contextOf(own: NodeCertificate): tls.SecureContext {
    return tls.createSecureContext({
      ...contextOptions,
      minVersion: 'TLSv1.3',
      cert: own.certificate,
      key: own.key,
      ca: this.#authorityPem,
    })
  }
}

/** SHA-256 of the public key (SPKI) in a certificate, lower-case hex, as in `KnownNode.key`. */
export function keyHash(certificate: X509Certificate): string {
  return createHash('sha256')
    .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
}
