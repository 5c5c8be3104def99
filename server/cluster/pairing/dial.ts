/** Connects to the `lanthorn-join` side of a cluster port, and asks who is there. */
import { X509Certificate } from 'node:crypto'
import tls, { type TLSSocket } from 'node:tls'
import { JoinFault } from '../welcome.ts'
import { printAddress, readAddress } from './address.ts'
import { Frames } from './frames.ts'
import { type AboutHere, AboutReply } from './messages.ts'
import { officeIdOfKey, spkiOf } from './office-id.ts'
import { type Binding, bindingOf, isSame, proofOf } from './proofs.ts'
import { joinProtocol } from './versions.ts'

/** ALPN of pairing (DESIGN section 6). */
export const joinAlpn = 'lanthorn-join'

const connectMsDefault = 5_000
const answerMsDefault = 5_000

export interface DialOptions {
  readonly connectMs?: number
  readonly signal?: AbortSignal | undefined
}

/** A connection on which nobody is authenticated yet. */
export interface Dialled {
  /** 'host:port' that was reached. */
  readonly address: string
  readonly frames: Frames
  readonly leaf: X509Certificate
}

/** What is behind an address, proven: whoever answers holds a certificate of that authority's key. */
export type About = AboutHere & {
  /** 'host:port' that was asked. */
  readonly address: string
  /** Of its authority: an office's, or the one a fresh PC has made for itself. */
  readonly officeId: string
  readonly protocol: number
  /** It holds the same token. */
  readonly sharesToken: boolean
}

/**
 * Opens a TLS connection to a cluster port. Who answers is not checked here: the conversation that follows does.
 * @param address 'host:port', 'host'
 * @throws JoinFault 'unreachable' with a sentence; 'ended' when the signal says so
 */
export async function dial(address: string, options: DialOptions = {}): Promise<Dialled> {
  const place = readAddress(address)
  if (!place) {
    const sentence = `“${address.slice(0, 80)}” is no address. Write it as 192.168.1.20 or pc-1.example:5275.`
    throw new JoinFault('unreachable', sentence)
  }
  const printed = printAddress(place)
  // The certificate is one of an authority that is not known here yet: what it is worth comes out in the conversation, over its key and the exporter.
  const socket = tls.connect({
    ...place,
    ALPNProtocols: [joinAlpn],
    minVersion: 'TLSv1.3',
    rejectUnauthorized: false,
  })
  await isSecure(socket, printed, options)
  const leaf = socket.getPeerX509Certificate()
  if (socket.alpnProtocol !== joinAlpn || !leaf) {
    socket.destroy()
    throw new JoinFault('unreachable', strangerSentence(printed))
  }
  const frames = new Frames(socket, printed)
  const { signal } = options
  const giveUp = () => frames.refuse(givenUp())
  signal?.addEventListener('abort', giveUp, { once: true })
  frames.onEnd(() => signal?.removeEventListener('abort', giveUp))
  return { address: printed, frames, leaf }
}

/**
 * Asks who is behind an address.
 * @param options.token learns whether the other one holds the same, without telling it
 * @throws JoinFault 'unreachable', 'busy'
 */
export async function askAbout(
  address: string,
  options: DialOptions & { readonly version: string; readonly token?: string | undefined },
): Promise<About> {
  const dialled = await dial(address, options)
  const { frames } = dialled
  try {
    frames.send({ type: 'hello', protocol: joinProtocol, version: options.version, way: 'about' })
    const reply = await frames.next(AboutReply, answerMsDefault)
    const binding = bindTo(dialled, reply.authority)
    const { token } = options
    const tag = token === undefined ? undefined : proofOf(Buffer.from(token), 'tag', binding)
    return {
      ...reply.about,
      address: dialled.address,
      officeId: officeIdOfKey(spkiOf(binding.authority.publicKey)),
      protocol: reply.protocol,
      sharesToken: tag !== undefined && reply.tokenTag !== undefined && isSame(tag, reply.tokenTag),
    }
  } finally {
    frames.close()
  }
}

/**
 * Checks that whoever answered holds a certificate of this authority, and gives what both ends have in common.
 * @param authority PEM, as the other side says
 * @throws JoinFault 'wrong-office'
 */
export function bindTo(dialled: Dialled, authority: string): Binding {
  try {
    const certificate = new X509Certificate(authority)
    // The key counts, not dates: the clock of a fresh PC may be wrong by years.
    if (dialled.leaf.verify(certificate.publicKey)) return bindingOf(dialled.frames.socket, dialled.leaf, certificate)
  } catch {
    // No certificate at all, or a key of another kind: as wrong as a foreign one.
  }
  const sentence = `What answers at ${dialled.address} is not what it says it is. Ask the person who looks after this network.`
  throw new JoinFault('wrong-office', sentence)
}

function isSecure(socket: TLSSocket, address: string, options: DialOptions): Promise<void> {
  const { connectMs = connectMsDefault, signal } = options
  return new Promise((resolve, reject) => {
    const finish = (fault?: JoinFault) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      socket.off('error', fail)
      socket.off('close', fail)
      if (!fault) return resolve()
      socket.on('error', () => socket.destroy())
      socket.destroy()
      reject(fault)
    }
    const abort = () => finish(givenUp())
    const fail = (error?: unknown) => finish(new JoinFault('unreachable', unreachableSentence(address, error)))
    const timer = setTimeout(fail, connectMs)
    signal?.addEventListener('abort', abort, { once: true })
    socket.once('secureConnect', () => finish())
    socket.once('error', fail)
    socket.once('close', fail)
    if (signal?.aborted) abort()
  })
}

function unreachableSentence(address: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `No PC is called ${address.replace(/:\d+$/, '')}.`
  if (code.startsWith('ERR_SSL') || code === 'EPROTO' || code === 'ECONNRESET') return strangerSentence(address)
  const refused = code === 'ECONNREFUSED' ? 'is on, but no chat runs there' : 'does not answer'
  return `${address} ${refused}. Look whether that PC is on and its chat runs, and whether a firewall lets the port through.`
}

const strangerSentence = (address: string): string =>
  `What answers at ${address} is no PC of a Lanthorn office that others can join.`

function givenUp(): JoinFault {
  return new JoinFault('ended', 'Joining was given up on the other PC.')
}
