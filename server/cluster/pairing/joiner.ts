/** The joining side of pairing: asks an office to be let in, in one of three ways, and checks what it is given. */
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import type { Static } from 'typebox'
import { type Applicant, JoinFault, type Welcome } from '../welcome.ts'
import { codeIdOf } from './codes.ts'
import { bindTo, type Dialled, dial } from './dial.ts'
import type { Message } from './frames.ts'
import type { JoinCode } from './join-code.ts'
import { Host, Joined, Waiting, WelcomeMessage } from './messages.ts'
import { keyFingerprint, keyHashOf, officeIdOf, officeIdOfKey, spkiOf } from './office-id.ts'
import { type Binding, codeOf, commitmentOf, isSame, newNonce, proofOf } from './proofs.ts'
import { joinProtocol, versionTrouble } from './versions.ts'

/** How a joiner is known to the office: by people who compare two screens, by a join code, by the token of both autosetup files. */
export type JoinWay =
  | { readonly kind: 'compare' }
  | { readonly kind: 'code'; readonly code: JoinCode }
  | { readonly kind: 'token'; readonly token: string }

/** The office that answered. With `compare` nothing of it is proven before the codes were compared. */
export interface HostSeen {
  readonly office: string
  readonly officeId: string
  /** The PC that was asked. */
  readonly node: string
  readonly address: string
  readonly version: string
  /** SHA-256 of the authority's public key, AB:CD:… */
  readonly fingerprint: string
}

export interface JoinOptions {
  /** 'host:port'; a join code brings its own. */
  readonly address?: string
  readonly way: JoinWay
  readonly applicant: Applicant
  readonly onHost?: (host: HostSeen) => void
  /**
   * The code is to be shown now ('4827 · blue otter'). When it gives a promise, the office is joined only after that is fulfilled: for a person here
   * who says that both are the same; a rejection ends the joining.
   */
  readonly onCode?: (code: string, host: HostSeen, expiresAt: string) => unknown
  readonly signal?: AbortSignal
  /** Milliseconds: for a connection, for an answer, for being let in. */
  readonly limits?: { readonly connectMs?: number; readonly answerMs?: number; readonly admitMs?: number }
}

/** Shows the other side that we are there while people decide. */
const aliveMs = 5_000
const answerMsDefault = 10_000
/** Being let in: the office asks its database, which may be moving just now. */
const admitMsDefault = 60_000

/**
 * Joins an office.
 * @returns everything a node needs; the office counts it as joined
 * @throws JoinFault with a sentence for the person who wanted to join
 */
export async function joinOffice(options: JoinOptions): Promise<Welcome> {
  const { way, signal } = options
  const addresses = [
    ...(options.address === undefined ? [] : [options.address]),
    ...(way.kind === 'code' ? way.code.addresses : []),
  ]
  let fault = new JoinFault('unreachable', 'The join code holds no address. Write the address of the other PC, too.')
  for (const address of new Set(addresses)) {
    try {
      return await joinAt(address, options)
    } catch (error) {
      if (!(error instanceof JoinFault)) throw error
      fault = error
      // Behind another address of the same PC the office may be found still.
      if (signal?.aborted || !(fault.reason === 'unreachable' || fault.reason === 'wrong-office')) throw fault
    }
  }
  throw fault
}

async function joinAt(address: string, options: JoinOptions): Promise<Welcome> {
  const { limits = {}, signal } = options
  const dialled = await dial(address, {
    signal,
    ...(limits.connectMs !== undefined && { connectMs: limits.connectMs }),
  })
  const { frames } = dialled
  try {
    const welcome = await converse(dialled, options)
    frames.close()
    return welcome
  } catch (error) {
    if (!(error instanceof JoinFault)) {
      frames.refuse(new JoinFault('ended', 'The other PC could not go on with joining.'))
      throw error
    }
    frames.refuse(error, new JoinFault(error.reason, `The other PC ended the joining: ${error.message}`.slice(0, 600)))
    throw error
  }
}

async function converse(dialled: Dialled, options: JoinOptions): Promise<Welcome> {
  const { frames } = dialled
  const { way, applicant, limits = {} } = options
  const said = JSON.stringify(applicant)
  const nonce = newNonce()
  frames.send(helloOf(options, nonce, said))
  const host = await frames.next(Host, limits.answerMs ?? answerMsDefault)
  const here = { protocol: joinProtocol, version: applicant.version }
  const trouble = versionTrouble({ ...host, name: host.node }, here)
  if (trouble !== undefined) throw new JoinFault('version', trouble)
  const binding = bindTo(dialled, host.authority)
  const seen = seenOf(dialled, host, binding)
  if (way.kind === 'compare') await compare(dialled, options, { host, seen, binding, nonce, said })
  else {
    const secret = await checkHost(dialled, way, host, seen, binding)
    options.onHost?.(seen)
    frames.expectWelcome()
    frames.send({ type: 'proof', proof: proofOf(secret, 'applicant', binding, said), applicant: said })
  }
  const { welcome } = await frames.next(WelcomeMessage, limits.admitMs ?? admitMsDefault)
  checkWelcome(welcome, options.applicant, seen)
  frames.send({ type: 'fits' })
  await frames.next(Joined, limits.answerMs ?? answerMsDefault)
  return welcome
}

function helloOf({ way, applicant }: JoinOptions, nonce: string, said: string): Message {
  return {
    type: 'hello',
    protocol: joinProtocol,
    version: applicant.version,
    way: way.kind,
    ...(way.kind === 'compare' && { commitment: commitmentOf(nonce, said) }),
    ...(way.kind === 'code' && { code: codeIdOf(way.code.secret) }),
  }
}

function seenOf(dialled: Dialled, host: Static<typeof Host>, binding: Binding): HostSeen {
  const spki = spkiOf(binding.authority.publicKey)
  return {
    office: host.office,
    officeId: officeIdOfKey(spki),
    node: host.node,
    address: dialled.address,
    version: host.version,
    fingerprint: keyFingerprint(spki),
  }
}

/** Shows the code and waits until the person there, and perhaps one here, has decided. */
async function compare(
  { frames }: Dialled,
  { onHost, onCode, applicant, limits = {} }: JoinOptions,
  parts: { host: Static<typeof Host>; seen: HostSeen; binding: Binding; nonce: string; said: string },
): Promise<void> {
  const { host, seen, binding, nonce, said } = parts
  if (host.nonce === undefined) throw notAnOffice(seen)
  frames.send({ type: 'reveal', nonce, applicant: said })
  const { expiresInMs } = await frames.next(Waiting, limits.answerMs ?? answerMsDefault)
  onHost?.(seen)
  const spki = spkiOf(createPublicKey(applicant.publicKey))
  const code = codeOf(binding, { applicantNonce: nonce, hostNonce: host.nonce, applicant: said, spki })
  frames.keepAlive(aliveMs)
  frames.expectWelcome()
  const confirmed = Promise.resolve(onCode?.(code, seen, new Date(Date.now() + expiresInMs).toISOString()))
  const isOver = new Promise<never>((_, reject) => frames.onEnd(reject))
  await Promise.race([confirmed, isOver])
  await frames.has(expiresInMs + aliveMs)
}

/** @returns the secret, when the host has proven that it knows it @throws JoinFault before anything of ours was said */
async function checkHost(
  { frames }: Dialled,
  way: Exclude<JoinWay, { kind: 'compare' }>,
  host: Static<typeof Host>,
  seen: HostSeen,
  binding: Binding,
): Promise<Buffer> {
  const secret = way.kind === 'code' ? way.code.secret : Buffer.from(way.token)
  if (way.kind === 'code' && way.code.officeId !== seen.officeId) {
    throw new JoinFault('wrong-office', `At ${seen.address} there is another office than the one of the join code.`)
  }
  if (host.proof !== undefined && isSame(host.proof, proofOf(secret, 'office', binding))) return secret
  if (way.kind === 'code') {
    // An office that does not know the code says so now.
    if (host.proof === undefined) await frames.has(answerMsDefault)
    throw notAnOffice(seen)
  }
  throw new JoinFault(
    'wrong-token',
    `${host.node} at ${seen.address} has another token. Write the same token into the autosetup files of both PCs.`,
  )
}

/** Whether what we were given is one piece: this office, our key, our name. */
function checkWelcome(welcome: Welcome, applicant: Applicant, seen: HostSeen): void {
  let isRight = false
  try {
    const authority = new X509Certificate(welcome.authority.certificate)
    const leaf = new X509Certificate(welcome.certificate)
    const own = spkiOf(createPublicKey(applicant.publicKey))
    const signing = spkiOf(createPublicKey(createPrivateKey(welcome.authority.key)))
    const self = welcome.nodes.find(node => node.number === welcome.number)
    isRight =
      welcome.officeId === seen.officeId &&
      officeIdOf(welcome.authority.certificate) === seen.officeId &&
      signing.equals(spkiOf(authority.publicKey)) &&
      leaf.verify(authority.publicKey) &&
      spkiOf(leaf.publicKey).equals(own) &&
      self?.name === welcome.name &&
      self.id === applicant.id &&
      self.key === keyHashOf(applicant.publicKey)
  } catch {
    // Certificates or keys that cannot even be read.
  }
  if (!isRight) {
    throw new JoinFault('wrong-office', `${seen.node} gave certificates that do not fit together. Nothing was changed.`)
  }
}

const notAnOffice = (seen: HostSeen): JoinFault =>
  new JoinFault('wrong-office', `What answers at ${seen.address} is not the office that it says it is.`)
