/** The office's side of pairing: answers who asks, shows who wants in, and lets in whom somebody accepted or who has proven a secret. */
import { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { Logger } from 'pino'
import { neighbourOf } from '../../net/neighbour.ts'
import { Allowance } from '../allowance.ts'
import { type Applicant, JoinFault, type Welcome } from '../welcome.ts'
import { plainHost } from './address.ts'
import { readApplicant } from './applicant.ts'
import { type HeldCode, JoinCodes } from './codes.ts'
import { Frames } from './frames.ts'
import { type AboutHere, Fits, Hello, Proof, Reveal } from './messages.ts'
import { keyFingerprint, officeIdOf } from './office-id.ts'
import { type Binding, bindingOf, codeOf, commitmentOf, isSame, newNonce, proofOf } from './proofs.ts'
import { type OpenRequest, Requests } from './requests.ts'
import { joinProtocol, versionTrouble } from './versions.ts'

const connectionsMax = 32
const connectionsPerNeighbourMax = 4
const answerMsDefault = 10_000
const sweepMs = 1_000
const tokenCharactersMin = 32
/** Wrong tokens from one neighbour: five, then one every two minutes. */
const wrongTokens = { burst: 5, perSecond: 1 / 120 }
const hellos = { burst: 30, perSecond: 3 }

/** How somebody was let in: for the history. */
export interface Admission {
  readonly way: 'compare' | 'code' | 'token'
  /** Who accepted, or who made the code. */
  readonly by: string | undefined
  readonly address: string
}

export interface JoinHostOptions {
  /** Certificate of the office's authority, PEM: the one that has signed the certificate the cluster port shows. */
  readonly authority: string
  /** What is told to whoever asks: an office, or a PC without one (then nobody is let in). */
  readonly about: () => AboutHere
  /**
   * Makes a node of an applicant that was accepted or has proven its secret.
   * @throws JoinFault with a sentence for both sides; anything else is a bug and is logged
   */
  readonly admit: (applicant: Applicant, admission: Admission) => Promise<Welcome>
  /** Takes an admission back: the joiner has not confirmed that it has the welcome. */
  readonly withdraw?: (welcome: Welcome, applicant: Applicant) => unknown
  /** Of the autosetup file, at least 32 characters. */
  readonly token?: string | undefined
  readonly log: Logger
  readonly now?: () => number
  /** Milliseconds for one answer of the other side. */
  readonly answerMs?: number
}

/** @throws TypeError when the token is shorter than 32 characters */
export class JoinHost {
  readonly #options: JoinHostOptions
  readonly #authority: X509Certificate
  readonly #token: Buffer | undefined
  readonly #requests: Requests
  readonly #codes: JoinCodes
  /** Oldest first. */
  readonly #connections = new Map<Frames, Conversation>()
  readonly #listeners = new Set<() => void>()
  readonly #wrongTokens: Allowance
  readonly #hellos: Allowance
  readonly #sweeping: NodeJS.Timeout
  #isClosed = false

  constructor(options: JoinHostOptions) {
    const { token, now = Date.now } = options
    if (token !== undefined && token.length < tokenCharactersMin)
      throw new TypeError('a token has at least 32 characters')
    this.#options = options
    this.#authority = new X509Certificate(options.authority)
    this.#token = token === undefined ? undefined : Buffer.from(token)
    this.#requests = new Requests({ node: options.about().node, now, changed: () => this.#changed() })
    this.#codes = new JoinCodes(now)
    this.#wrongTokens = new Allowance({ ...wrongTokens, now })
    this.#hellos = new Allowance({ ...hellos, now })
    this.#sweeping = setInterval(() => this.sweep(), sweepMs)
    this.#sweeping.unref()
  }

  /** PCs that wait for an answer, oldest first. */
  get requests(): readonly OpenRequest[] {
    return this.#requests.list
  }

  /** Join codes that can be used now. */
  get codes(): readonly HeldCode[] {
    return this.#codes.list
  }

  /** Calls `listener` when requests or codes changed. Gives the function that ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Takes a connection with ALPN `lanthorn-join`. */
  take(socket: TLSSocket): void {
    const address = plainHost(socket.remoteAddress ?? '')
    const frames = new Frames(socket, `The PC at ${address}`)
    if (this.#isClosed || !this.#makeRoom(address)) {
      frames.refuse(this.#crowded())
      return
    }
    this.#connections.set(frames, { neighbour: neighbourOf(address), isHasty: true })
    frames.onEnd(() => this.#connections.delete(frames))
    this.#converse(frames, address).catch((error: unknown) => {
      if (!(error instanceof JoinFault)) this.#options.log.error({ err: error, address }, 'joining failed')
      const sentence = `${this.#node} could not go on with joining. Its log says why.`
      frames.refuse(error instanceof JoinFault ? error : new JoinFault('refused', sentence))
    })
  }

  /**
   * Lets a PC in. Settles when it is in.
   * @throws JoinFault when it has given up, or it did not work
   */
  async accept(id: string, by: string): Promise<void> {
    const { frames, applicant, address } = this.#requests.take(id)
    await this.#letIn(frames, applicant, { way: 'compare', by, address })
  }

  /** Tells a PC that it may not join. @returns false when it has given up */
  refuse(id: string): boolean {
    return this.#requests.refuse(id)
  }

  /**
   * Makes a one-use join code, good for 15 minutes at this node.
   * @param addresses 'host:port' under which this node can be reached, best first; four are used
   */
  makeCode(by: string, addresses: readonly string[]): { id: string; code: string; expiresAt: string } {
    const about = this.#options.about()
    const officeId = officeIdOf(this.#options.authority)
    const made = this.#codes.make(by, about.kind === 'office' ? about.office : about.node, { officeId, addresses })
    this.#changed()
    return made
  }

  /** Takes a join code back. @returns false when it is over already */
  dropCode(id: string): boolean {
    const isDropped = this.#codes.drop(id)
    if (isDropped) this.#changed()
    return isDropped
  }

  /** Ends what is too old. Runs every second by itself. */
  sweep(): void {
    this.#requests.sweep()
    if (this.#codes.sweep()) this.#changed()
  }

  /** Ends all conversations; whoever waits hears why. */
  close(): void {
    this.#isClosed = true
    clearInterval(this.#sweeping)
    for (const frames of [...this.#connections.keys()]) {
      frames.refuse(new JoinFault('ended', `Chat on ${this.#node} was ended. Try again when it runs.`))
    }
    this.#listeners.clear()
  }

  /**
   * What programs say to each other takes milliseconds: of those who have not come further, whoever has taken longest makes room, so that connections
   * that say nothing keep nobody out. Those that wait for people, or have proven a secret, stay.
   * @returns false when there is none
   */
  #makeRoom(address: string): boolean {
    const hasty = [...this.#connections].filter(([, { isHasty }]) => isHasty)
    const near = hasty.filter(([, { neighbour }]) => neighbour === neighbourOf(address))
    const isFull = this.#connections.size >= connectionsMax
    const isCrowded = !isLoopback(address) && near.length >= connectionsPerNeighbourMax
    if (!isFull && !isCrowded) return true
    const [oldest] = (isCrowded ? near : hasty)[0] ?? []
    oldest?.refuse(this.#crowded())
    return oldest !== undefined
  }

  /** It waits for a person, or has proven a secret. */
  #settle(frames: Frames): void {
    const conversation = this.#connections.get(frames)
    if (conversation) conversation.isHasty = false
  }

  get #node(): string {
    return this.#options.about().node
  }

  async #converse(frames: Frames, address: string): Promise<void> {
    const { answerMs = answerMsDefault } = this.#options
    const hello = await frames.next(Hello, answerMs)
    if (!this.#hellos.take(neighbourOf(address))) throw this.#crowded()
    const leaf = frames.socket.getX509Certificate()
    if (!leaf) throw new Error('this end of the connection has no certificate')
    const binding = bindingOf(frames.socket, leaf, this.#authority)
    const about = this.#options.about()
    if (hello.way === 'about') {
      this.#tell(frames, about, binding)
      return
    }
    const trouble = versionTrouble({ protocol: joinProtocol, version: about.version, name: about.node }, hello)
    if (trouble !== undefined) throw new JoinFault('version', trouble)
    if (about.kind !== 'office') throw noOffice(about)
    const host = {
      type: 'host',
      protocol: joinProtocol,
      version: about.version,
      authority: this.#options.authority,
      office: about.office,
      node: about.node,
    }
    switch (hello.way) {
      case 'compare':
        return this.#compare(frames, address, binding, host, hello.commitment ?? '')
      case 'code':
        return this.#checkCode(frames, address, binding, host, hello.code ?? '')
      case 'token':
        return this.#checkToken(frames, address, binding, host)
      default:
        throw new JoinFault('version', `${about.node} (Lanthorn ${about.version}) does not know this way of joining.`)
    }
  }

  #tell(frames: Frames, about: AboutHere, binding: Binding): void {
    const tokenTag = this.#token && proofOf(this.#token, 'tag', binding)
    frames.send({ type: 'about', protocol: joinProtocol, authority: this.#options.authority, about, tokenTag })
    frames.close()
  }

  /** Commit, then reveal: the applicant has fixed its part of the code before it sees ours, and we fix ours before we see its. */
  async #compare(frames: Frames, address: string, binding: Binding, host: Shown, commitment: string): Promise<void> {
    const { answerMs = answerMsDefault } = this.#options
    const hostNonce = newNonce()
    frames.send({ ...host, nonce: hostNonce })
    const { nonce, applicant: said } = await frames.next(Reveal, answerMs)
    const { applicant, spki } = readApplicant(said)
    if (!isSame(commitmentOf(nonce, said), commitment)) {
      throw new JoinFault('refused', 'The other PC revealed something else than it had promised. Start again there.')
    }
    this.#requests.replace(applicant.id, address)
    const crowd = this.#requests.crowd(address, isLoopback(address))
    if (crowd) throw crowd
    const trouble = this.#generationTrouble(applicant)
    this.#settle(frames)
    this.#requests.add(frames, applicant, {
      address,
      code: codeOf(binding, { applicantNonce: nonce, hostNonce, applicant: said, spki }),
      fingerprint: keyFingerprint(spki),
      ...(trouble !== undefined && { trouble }),
    })
    this.#options.log.info({ name: applicant.name, address }, 'PC asked to join')
  }

  async #checkCode(frames: Frames, address: string, binding: Binding, host: Shown, id: string): Promise<void> {
    const unknown = new JoinFault(
      'wrong-code',
      `${host.node} does not know this join code: it was used, taken back or is older than 15 minutes. Make a new one there.`,
    )
    const secret = this.#codes.secretOf(id)
    if (!secret) {
      // Shows itself all the same: the joiner may have come to another office than the code's.
      frames.send(host)
      throw unknown
    }
    const applicant = await this.#prove(frames, binding, host, secret)
    if (!applicant) {
      this.#codes.countWrong(id)
      this.#changed()
      throw unknown
    }
    const by = this.#codes.take(id)
    if (by === undefined) throw unknown
    let isIn = false
    try {
      await this.#letIn(frames, applicant, { way: 'code', by, address })
      isIn = true
    } finally {
      this.#codes.settle(id, isIn)
      this.#changed()
    }
  }

  async #checkToken(frames: Frames, address: string, binding: Binding, host: Shown): Promise<void> {
    if (!this.#token) throw new JoinFault('wrong-token', `${host.node} lets nobody in by a token: none is set there.`)
    if (!this.#wrongTokens.has(neighbourOf(address))) {
      throw new JoinFault(
        'busy',
        `Too many wrong tokens came from ${address}. ${host.node} listens again in some minutes.`,
      )
    }
    const applicant = await this.#prove(frames, binding, host, this.#token)
    if (!applicant) {
      this.#wrongTokens.take(neighbourOf(address))
      throw new JoinFault(
        'wrong-token',
        `${host.node} has another token. Write the same one into both autosetup files.`,
      )
    }
    await this.#letIn(frames, applicant, { way: 'token', by: undefined, address })
  }

  /** Shows that we know the secret, then lets the applicant show it. @returns undefined when it does not know it */
  async #prove(frames: Frames, binding: Binding, host: Shown, secret: Buffer): Promise<Applicant | undefined> {
    const { answerMs = answerMsDefault } = this.#options
    frames.send({ ...host, proof: proofOf(secret, 'office', binding) })
    const { proof, applicant } = await frames.next(Proof, answerMs)
    return isSame(proof, proofOf(secret, 'applicant', binding, applicant))
      ? readApplicant(applicant).applicant
      : undefined
  }

  async #letIn(frames: Frames, applicant: Applicant, admission: Admission): Promise<void> {
    const { admit, log, answerMs = answerMsDefault } = this.#options
    let welcome: Welcome | undefined
    this.#settle(frames)
    try {
      welcome = await admit(applicant, admission)
      frames.send({ type: 'welcome', welcome })
      await frames.next(Fits, answerMs)
      frames.send({ type: 'joined' })
      frames.close()
      log.info({ name: welcome.name, ...admission }, 'PC joined the office')
    } catch (error) {
      if (welcome) await this.#withdraw(welcome, applicant)
      if (!(error instanceof JoinFault)) log.error({ err: error, ...admission }, 'PC could not be let in')
      const sentence = `${this.#node} could not let ${applicant.name} in. Its log says why.`
      const fault = error instanceof JoinFault ? error : new JoinFault('refused', sentence)
      frames.refuse(fault)
      throw fault
    }
  }

  async #withdraw(welcome: Welcome, applicant: Applicant): Promise<void> {
    try {
      await this.#options.withdraw?.(welcome, applicant)
    } catch (error) {
      this.#options.log.error({ err: error, name: welcome.name }, 'a PC that did not join could not be taken out again')
    }
  }

  #generationTrouble(applicant: Applicant): string | undefined {
    const { hazelcast } = this.#options.about()
    if (hazelcast === undefined || applicant.hazelcast === undefined || hazelcast === applicant.hazelcast)
      return undefined
    return `It brings Hazelcast ${applicant.hazelcast}, this office uses ${hazelcast}: it works over the links alone until all PCs are updated.`
  }

  #crowded(): JoinFault {
    return new JoinFault('busy', `${this.#node} is busy with others that want to join. Try again in a minute.`)
  }

  #changed(): void {
    for (const listener of this.#listeners) listener()
  }
}

interface Conversation {
  readonly neighbour: string
  /** Only programs have said something so far, and nothing is proven. */
  isHasty: boolean
}

/** What the host shows of itself before it hears anything. */
interface Shown {
  readonly type: string
  readonly node: string
  readonly [field: string]: unknown
}

function noOffice(about: AboutHere): JoinFault {
  if (about.kind === 'making') {
    return new JoinFault('busy', `${about.node} is just making its office. Try again in a moment.`)
  }
  return new JoinFault('refused', `${about.node} has no office yet. Make one there first, or here.`)
}

// Several appliances on one PC share these addresses.
const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.')
