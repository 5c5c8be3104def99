/** The TLS side of all listeners: one context for new connections, replaced while the server runs. */
import { constants, type X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type net from 'node:net'
import tls from 'node:tls'
import type { CertifiedKey } from './ca.ts'
import { CertificateFault, checkPair, endPointHash, warningsAbout } from './certificate.ts'

/** Where certificate and key come from: PEM files of the admin, or what the office's authority made. */
export type CertificateSource =
  | { kind: 'files'; certificate: string; key: string }
  | { kind: 'office'; load(): Promise<CertifiedKey> }

export interface ServerTlsOptions {
  source: CertificateSource
  /** The domain whose clients must be able to trust the certificate. */
  domain: string
}

/** What is shown to new connections at the moment. */
export interface CertificateInUse {
  /** Certificate (with the chain behind it) and key, PEM. */
  readonly pair: CertifiedKey
  readonly context: tls.SecureContext
  readonly leaf: X509Certificate
  /** Channel binding data `tls-server-end-point`; undefined when RFC 5929 defines none for this certificate. */
  readonly certificateHash: Buffer | undefined
  /** Sentences for the Health page: it ends soon, it is not for our domain. */
  readonly warnings: readonly string[]
}

/** ALPN names (RFC 7301): XEP-0368 for direct TLS of clients and servers, HTTP for the web ports. */
export const alpn = { c2s: ['xmpp-client'], s2s: ['xmpp-server'], web: ['http/1.1'] }

/** Only key exchanges with forward secrecy and authenticated ciphers (RFC 9325 section 4.2); TLS 1.3 has no others. */
const ciphers = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':')

/** What every context of ours has in common, for servers and for clients (s2s, cluster). */
export const contextOptions: Readonly<tls.SecureContextOptions> = {
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  ciphers,
  honorCipherOrder: true,
  ecdhCurve: 'X25519:P-256:P-384',
  // Chat connections live for hours: a ticket would save one handshake a day and costs memory in every connection.
  secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
}

/** The certificate of this node that is in use, and the servers that show it. */
export class ServerTls {
  readonly #options: ServerTlsOptions
  readonly #servers = new Set<tls.Server>()
  readonly #listeners = new Set<(current: CertificateInUse) => void>()
  #current: CertificateInUse

  /** For `openServerTls` only. */
  constructor(options: ServerTlsOptions, current: CertificateInUse) {
    this.#options = options
    this.#current = current
  }

  /** For each new connection: ask again, it may be another one. */
  get current(): CertificateInUse {
    return this.#current
  }

  /** Puts TLS on an accepted connection (STARTTLS, or direct TLS with ALPN names). The caller listens to `secure` and `error`. */
  wrap(socket: net.Socket, options: { alpn?: readonly string[]; requestCert?: boolean } = {}): tls.TLSSocket {
    return new tls.TLSSocket(socket, {
      isServer: true,
      secureContext: this.#current.context,
      requestCert: options.requestCert ?? false,
      rejectUnauthorized: false,
      ...(options.alpn ? { ALPNProtocols: [...options.alpn] } : {}),
    })
  }

  /** Options for a tls.Server or https.Server; `attach` it afterwards so that it takes part in reloads. */
  serverOptions(options: { alpn: readonly string[]; requestCert?: boolean }): tls.TlsOptions {
    return {
      ...contextOptions,
      ...asPem(this.#current.pair),
      ALPNProtocols: [...options.alpn],
      requestCert: options.requestCert ?? false,
      rejectUnauthorized: false,
      handshakeTimeout: 10_000,
    }
  }

  /** Lets a server show the new certificate after each reload. Gives the function that ends it. */
  attach(server: tls.Server): () => void {
    this.#servers.add(server)
    return () => this.#servers.delete(server)
  }

  /** Calls `listener` after each reload. Gives the function that ends it. */
  onReload(listener: (current: CertificateInUse) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Loads the certificate again, for all connections from now on. One that cannot be used, or that has ended while the one in use has not,
   * changes nothing.
   * @throws CertificateFault with a sentence
   */
  async reload(): Promise<CertificateInUse> {
    const next = await load(this.#options)
    if (hasEnded(next) && !hasEnded(this.#current)) {
      throw new CertificateFault(`${next.warnings[0]} The certificate in use stays.`)
    }
    this.#current = next
    for (const server of this.#servers) server.setSecureContext({ ...contextOptions, ...asPem(next.pair) })
    for (const listener of this.#listeners) listener(next)
    return next
  }
}

/** Loads the certificate of this node. @throws CertificateFault with a sentence when it cannot be used */
export async function openServerTls(options: ServerTlsOptions): Promise<ServerTls> {
  return new ServerTls(options, await load(options))
}

function hasEnded({ leaf }: CertificateInUse): boolean {
  return leaf.validToDate.getTime() < Date.now()
}

function asPem({ certificate, key }: CertifiedKey): { cert: string; key: string } {
  return { cert: certificate, key }
}

async function load({ source, domain }: ServerTlsOptions): Promise<CertificateInUse> {
  const names =
    source.kind === 'files'
      ? { certificate: source.certificate, key: source.key }
      : { certificate: 'The certificate of this node', key: 'the key of this node' }
  const pair =
    source.kind === 'files'
      ? { certificate: await readPem(source.certificate, 'certificate'), key: await readPem(source.key, 'key') }
      : await source.load()
  const leaf = checkPair(pair.certificate, pair.key, names)
  try {
    const context = tls.createSecureContext({ ...contextOptions, ...asPem(pair) })
    const warnings = warningsAbout(leaf, names.certificate, domain)
    return { pair, context, leaf, certificateHash: endPointHash(leaf), warnings }
  } catch (error) {
    throw new CertificateFault(
      `${names.certificate} cannot be used: ${error instanceof Error ? error.message : error}.`,
    )
  }
}

async function readPem(file: string, what: 'certificate' | 'key'): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why =
      code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'this user may not read it' : String(error)
    throw new CertificateFault(`The TLS ${what} ${file} cannot be read: ${why}.`)
  }
}
