/** SASL (RFC 6120 §6): brings together the login of a stream, the accounts, and the limits on failures. */
import { randomBytes } from 'node:crypto'
import type { Account } from '../core/accounts.ts'
import { SaslError, StreamError } from '../xmpp/errors.ts'
import { NS_SASL } from '../xmpp/namespaces.ts'
import {
  createExchange,
  decodeSaslData,
  encodeSaslData,
  mechanismsFor,
  type SaslExchange,
  type SaslOptions,
  type SaslStep,
} from '../xmpp/sasl.ts'
import type { ScramHash, Verifier } from '../xmpp/scram.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import type { ClientStream } from './c2s.ts'

/** §6.4.5: at least 2, at most 5. */
const FAILURES_MAX = 5
/** RFC 5802 asks for randomness; 24 characters. */
const NONCE_BYTES = 18
/** How long an account may be looked up while the database is slow. */
const LOOKUP_MS = 4_000
const VERIFIER_KINDS: readonly ScramHash[] = ['SHA-1', 'SHA-256', 'SHA-512']

/** What is offered on a stream now. */
export function offerFor(stream: ClientStream): SaslOptions['offered'] {
  const { wire, streams } = stream
  const { channelBindings } = wire
  const plain = streams.settings.allowPlain ? 'under TLS' : 'never'
  const mechanisms = mechanismsFor({ tls: wire.isSecure, channelBindings, verifierKinds: VERIFIER_KINDS, plain })
  return { mechanisms, channelBindings }
}

/** The login of one stream: any number of attempts up to a limit. */
export class Login {
  readonly #stream: ClientStream
  #exchange: SaslExchange | undefined
  #failures = 0
  /** Whom the attempt is for, as far as known. */
  #username = ''
  #account: Account | undefined

  constructor(stream: ClientStream) {
    this.#stream = stream
  }

  /** Takes `<auth/>`, `<response/>` or `<abort/>`. @throws StreamError when it is none of them */
  take(element: Stanza): void {
    try {
      switch (element.name) {
        case 'auth':
          // §6.4.2: an attempt that is under way is given up.
          this.#begin(element)
          return
        case 'response':
          if (!this.#exchange) throw new SaslError('malformed-request', 'No login is under way.')
          this.#answer(this.#exchange.step(decodeSaslData(element.element.getText()) ?? Buffer.alloc(0)))
          return
        case 'abort':
          throw new SaslError('aborted')
        default:
          throw new StreamError('unsupported-stanza-type')
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  #begin(element: Stanza): void {
    const stream = this.#stream
    const { parts, unknown } = stream.streams
    this.#username = ''
    this.#account = undefined
    this.#exchange = createExchange(element.element.getAttr('mechanism') ?? '', {
      domain: parts.domain,
      offered: offerFor(stream),
      channelBinding: type => stream.wire.channelBinding(type),
      nonce: randomBytes(NONCE_BYTES).toString('base64url'),
      unknown,
    })
    this.#answer(this.#exchange.step(decodeSaslData(element.element.getText())))
  }

  #answer(step: SaslStep): void {
    if ('challenge' in step) {
      const data = step.challenge.length === 0 ? '' : step.challenge.toString('base64')
      this.#stream.sendRaw(`<challenge xmlns='${NS_SASL}'>${data}</challenge>`)
    } else if ('needs' in step) this.#lookUp(step.username, step.hashes)
    else this.#succeed(step)
  }

  #lookUp(username: string, hashes: readonly ScramHash[]): void {
    const { streams, address } = this.#stream
    this.#username = username
    const waitMs = streams.throttle.loginWait(address, username)
    if (waitMs > 0) {
      const text = `Too many failed logins. Try again in ${Math.ceil(waitMs / 1000)} seconds.`
      throw new SaslError('temporary-auth-failure', text)
    }
    const found = streams.parts.accounts.get(username)
    if (found instanceof Promise) this.#wait(this.#withinTime(found).then(account => this.#supply(account, hashes)))
    else {
      const supplied = this.#supply(found, hashes)
      if (supplied) this.#wait(supplied)
    }
  }

  #supply(account: Account | undefined, hashes: readonly ScramHash[]): Promise<void> | undefined {
    this.#account = account
    const step = this.#exchange?.supply(verifierOf(account, hashes))
    if (step instanceof Promise) return step.then(next => this.#answer(next))
    if (step) this.#answer(step)
    return undefined
  }

  #wait(work: Promise<void> | Promise<undefined>): void {
    this.#stream.wait(work.catch(error => this.#fail(error)))
  }

  /** A database that hangs is as good as one that is away: the client gets an answer, never silence. */
  async #withinTime(found: Promise<Account | undefined>): Promise<Account | undefined> {
    const { alarms } = this.#stream.streams
    let ring: (() => void) | undefined
    const late = new Promise<never>((_, reject) => {
      ring = () => reject(new SaslError('temporary-auth-failure', 'The database does not answer.'))
      alarms.set(ring, LOOKUP_MS)
    })
    try {
      return await Promise.race([found, late])
    } finally {
      if (ring) alarms.clear(ring)
    }
  }

  #succeed(step: Extract<SaslStep, { success: true }>): void {
    const stream = this.#stream
    const { streams, address, header } = stream
    // Told only to who knows the password.
    if (this.#account?.isBlocked) throw new SaslError('account-disabled', 'This account is blocked.')
    // §6.4.6: who the stream header said it is must be who has logged in. Without TLS the header proves nothing.
    if (stream.isSecure && header.from !== undefined && header.from !== `${step.username}@${streams.parts.domain}`) {
      throw new SaslError('invalid-authzid', `The stream was opened by ${header.from}.`)
    }
    streams.throttle.loginSucceeded(address, step.username)
    const data = step.data === undefined ? '' : encodeSaslData(step.data)
    stream.sendRaw(`<success xmlns='${NS_SASL}'>${data}</success>`)
    stream.trust(step.username)
    // §6.3.2; a client may have sent its new header already.
    stream.restart('unbound', { keepBuffered: true })
  }

  #fail(error: unknown): void {
    const stream = this.#stream
    const { streams, address } = stream
    if (stream.isOver) return
    if (error instanceof StreamError) throw error
    this.#exchange = undefined
    const fault = this.#toSaslError(error)
    streams.parts.log.info({ address, username: this.#username, condition: fault.condition }, 'login failed')
    stream.sendRaw(fault.toXml())
    if (fault.condition === 'not-authorized') streams.throttle.loginFailed(address, this.#username)
    if (fault.condition !== 'temporary-auth-failure') this.#failures++
    if (this.#failures >= FAILURES_MAX) stream.fail(new StreamError('policy-violation', 'Login failed too often.'))
  }

  #toSaslError(error: unknown): SaslError {
    if (error instanceof SaslError) return error
    this.#stream.streams.parts.log.warn({ err: error, username: this.#username }, 'account was not found out')
    return new SaslError('temporary-auth-failure', 'The database is away. Try again in a moment.')
  }
}

function verifierOf(account: Account | undefined, hashes: readonly ScramHash[]): Verifier | undefined {
  for (const hash of hashes) {
    const verifier = account?.verifiers[hash]
    if (verifier) return verifier
  }
  return undefined
}
