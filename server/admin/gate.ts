/** Stands before every endpoint: too often? from another page? signed in? Decides who asks before a body is read. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { DatabaseAway } from '../db/pool.ts'
import type { BrowserSessions } from './browser-sessions.ts'
import { type Caller, isFromOtherSite, isFromOwnPage, isHere, neighbourOf, type Origin, originOf } from './caller.ts'
import type { Access } from './contract/endpoint.ts'
import { RateLimit } from './limits.ts'
import { Refusal, refusal } from './problem.ts'
import { hashSecret, makeSecret } from './secret.ts'
import type { RunToken, ScriptTokens } from './tokens.ts'

/** How long the holder of a link may take to set the office up, in milliseconds. */
const SETUP_PASS_MS = 2 * 60 * 60_000
const SETUP_PASSES_MAX = 16

declare module 'fastify' {
  interface FastifyRequest {
    /** Where it comes from. */
    origin: Origin
    /** Who asks; undefined for endpoints that are open. */
    caller: Caller | undefined
  }
}

/** Where the appliance stands: `making` is the time between the button and the open office. */
export type Stage = 'starting' | 'fresh' | 'making' | 'ready'

/** What the gate needs once the office is open. */
export interface Doormen {
  readonly browserSessions: BrowserSessions
  readonly scriptTokens: ScriptTokens
}

/** One gate for both ports. */
export class Gate {
  readonly #pc: string
  readonly #now: () => number
  readonly #stage: () => Stage
  readonly #runToken: RunToken
  readonly #rate: RateLimit
  readonly #setupPasses = new Map<string, number>()
  readonly #originOf: (request: FastifyRequest) => Origin
  /** Set when the office opens. */
  doormen: Doormen | undefined

  /** @param options.originOf reads the socket of a request; tests put themselves elsewhere with it */
  constructor(options: {
    pc: string
    now: () => number
    stage: () => Stage
    runToken: RunToken
    originOf?: ((request: FastifyRequest) => Origin) | undefined
  }) {
    this.#pc = options.pc
    this.#now = options.now
    this.#stage = options.stage
    this.#runToken = options.runToken
    this.#originOf = options.originOf ?? originOf
    this.#rate = new RateLimit({ perSecond: 50, burst: 300, now: options.now })
  }

  /** For every request, endpoint or page. @throws Refusal */
  receive(request: FastifyRequest): void {
    request.origin = this.#originOf(request)
    if (this.#rate.take(neighbourOf(request.origin.address))) return
    throw refusal('too-busy', 'Too many requests at once: wait a moment.', { waitSeconds: 1 })
  }

  /**
   * Lets a request through to an endpoint, with `request.caller` set for `admin` and `pc`.
   * @throws Refusal with what is missing; DatabaseAway when that cannot be told now
   */
  async admit(request: FastifyRequest, access: Access): Promise<void> {
    this.#checkStage(access)
    if (isFromOtherSite(request)) throw otherOrigin()
    if (access === 'setup' && !this.maySetUp(request)) throw notHere()
    const bearer = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
    if (access === 'pc') request.caller = this.#onlyThisPc(request, bearer)
    if (access === 'admin') request.caller = bearer ? await this.#bearer(request, bearer) : await this.#cookie(request)
    // A script that sends a bearer token has no page; everything else that changes something must come from ours.
    const isChange = request.method !== 'GET' && request.method !== 'HEAD'
    const isProgram = bearer !== undefined && (access === 'admin' || this.#isThisPc(request, bearer))
    if (isChange && !isProgram && !isFromOwnPage(request, request.origin.isSecure)) throw otherOrigin()
  }

  /** Who asks, if that can be told: for what answers everybody, but some more. */
  async recognise(request: FastifyRequest): Promise<Caller | undefined> {
    const bearer = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
    try {
      return bearer ? await this.#bearer(request, bearer) : await this.#cookie(request)
    } catch (error) {
      if (error instanceof Refusal || error instanceof DatabaseAway) return undefined
      throw error
    }
  }

  /** Whether the asker sits at this PC, or opened a link that was made here. */
  maySetUp(request: FastifyRequest): boolean {
    if (isHere(request, request.origin)) return true
    const pass = request.cookies[this.#cookieName(request, 'setup')]
    return pass !== undefined && (this.#setupPasses.get(hashSecret(pass)) ?? 0) > this.#now()
  }

  /** Gives a browser the right to set the office up. */
  giveSetupPass(request: FastifyRequest, reply: FastifyReply): void {
    const pass = makeSecret()
    this.#setupPasses.set(hashSecret(pass), this.#now() + SETUP_PASS_MS)
    const oldest = this.#setupPasses.keys().next().value
    if (this.#setupPasses.size > SETUP_PASSES_MAX && oldest !== undefined) this.#setupPasses.delete(oldest)
    this.#setCookie(request, reply, 'setup', pass)
  }

  /** Hands a browser the secret of its session. */
  giveSession(request: FastifyRequest, reply: FastifyReply, secret: string): void {
    this.#setCookie(request, reply, 'session', secret)
  }

  /** Takes the cookie back. @returns the secret it had */
  takeSession(request: FastifyRequest, reply: FastifyReply): string | undefined {
    const name = this.#cookieName(request, 'session')
    const secret = request.cookies[name]
    if (secret !== undefined) reply.clearCookie(name, this.#cookieOptions(request))
    return secret
  }

  #checkStage(access: Access): void {
    const stage = this.#stage()
    if (access === 'open' || access === 'pc') return
    if (stage === 'starting') throw refusal('not-ready', 'The server is starting: this takes a few seconds.')
    if (access === 'setup' && stage === 'ready') throw refusal('set-up-already', 'The office has been made already.')
    if (access === 'admin' && stage !== 'ready')
      throw refusal('not-set-up', 'There is no office here yet: make one first.')
  }

  /** The token of this PC never leaves it; elsewhere it is worth nothing. */
  #isThisPc(request: FastifyRequest, secret: string): boolean {
    return request.origin.isLocal && this.#runToken.isRight(secret)
  }

  #onlyThisPc(request: FastifyRequest, secret: string | undefined): Caller {
    if (secret !== undefined && this.#isThisPc(request, secret)) return this.#pcCaller(request)
    throw refusal('not-here', 'Only the tray and the command line of this PC itself can do this.')
  }

  #pcCaller({ origin }: FastifyRequest): Caller {
    return { kind: 'pc', username: undefined, name: this.#pc, address: origin.address }
  }

  async #bearer(request: FastifyRequest, secret: string): Promise<Caller> {
    if (this.#isThisPc(request, secret)) return this.#pcCaller(request)
    const { address } = request.origin
    const token = await this.doormen?.scriptTokens.find(secret)
    if (!token) throw refusal('not-signed-in', 'This token is not good, or not any more: make a new one.')
    return { kind: 'token', username: token.username, name: token.name, address }
  }

  async #cookie(request: FastifyRequest): Promise<Caller> {
    const secret = request.cookies[this.#cookieName(request, 'session')]
    const session = secret === undefined ? undefined : await this.doormen?.browserSessions.find(secret)
    if (!session) throw refusal('not-signed-in', 'You are not signed in, or your time is over: sign in again.')
    const { username, name, key } = session
    return { kind: 'person', username, name, address: request.origin.address, sessionKey: key }
  }

  #setCookie(request: FastifyRequest, reply: FastifyReply, kind: 'session' | 'setup', value: string): void {
    reply.setCookie(this.#cookieName(request, kind), value, this.#cookieOptions(request))
  }

  #cookieOptions(request: FastifyRequest) {
    return { path: '/', httpOnly: true, sameSite: 'strict', secure: request.origin.isSecure } as const
  }

  /** Cookies do not tell ports apart: several appliances on one PC (tests, demos) would take each other's. */
  #cookieName(request: FastifyRequest, kind: 'session' | 'setup'): string {
    const { isSecure, port } = request.origin
    return `${isSecure ? '__Host-' : ''}lanthorn-${kind}-${port}`
  }
}

const otherOrigin = () =>
  refusal('other-origin', 'This request did not come from the admin pages themselves, so nothing was done.')

const notHere = () =>
  refusal(
    'not-here',
    'Set-up is only done on the PC itself: open this page there, or use the link its launcher printed.',
  )
