/** RFC 5802 and RFC 7677: SCRAM, the client's side, for tests and tools. XEP-0474: it checks the offer that the server vouches for. */
import { timingSafeEqual } from 'node:crypto'
import { digest, downgradeHash, hmac, parseScramMechanism, type ScramHash, saltPassword, xor } from './scram.ts'

/** What the client logs in with. */
export interface ScramClientOptions {
  readonly mechanism: string
  readonly username: string
  readonly password: string
  readonly authzid?: string
  /** Random printable ASCII without comma. */
  readonly nonce: string
  /** With -PLUS: type and data of the binding. */
  readonly channelBinding?: { readonly type: string; readonly data: Buffer }
  /** Without a binding: y when the client could bind but saw no offer to. */
  readonly flag?: 'n' | 'y'
  /** What the client saw offered; with it the server's hash of its offer is checked (XEP-0474 section 6.2). */
  readonly offered?: { readonly mechanisms: readonly string[]; readonly channelBindings: readonly string[] }
}

/** One login by SCRAM as a client: first → final → isServerRight. Throws Error with a sentence when the server says something wrong. */
export class ScramClient {
  readonly #options: ScramClientOptions
  readonly #hash: ScramHash
  readonly #header: string
  readonly #bare: string
  #serverSignature: Buffer | undefined

  constructor(options: ScramClientOptions) {
    const parsed = parseScramMechanism(options.mechanism)
    if (parsed === undefined) throw new Error(`${options.mechanism} is no mechanism of SCRAM.`)
    this.#options = options
    this.#hash = parsed.hash
    const { channelBinding, flag = 'n', authzid, username, nonce } = options
    const identity = authzid === undefined ? '' : `a=${encodeName(authzid)}`
    this.#header = `${channelBinding ? `p=${channelBinding.type}` : flag},${identity},`
    this.#bare = `n=${encodeName(username)},r=${nonce}`
  }

  /** The client-first-message. */
  first(): Buffer {
    return Buffer.from(this.#header + this.#bare)
  }

  /** The client-final-message for the server-first-message. */
  async final(serverFirst: Buffer): Promise<Buffer> {
    const first = serverFirst.toString()
    const match = /^r=([^,]+),s=([^,]+),i=([0-9]+)(?:,(.*))?$/.exec(first)
    const [, nonce = '', salt = '', iterations = '', extensions = ''] = match ?? []
    if (match === null) throw new Error(`The server's first message is not of SCRAM: ${first}`)
    if (!nonce.startsWith(this.#options.nonce)) throw new Error('The server changed the nonce.')
    const protection = /(?:^|,)h=([^,]+)/.exec(extensions)?.[1]
    const { offered, channelBinding, password } = this.#options
    if (protection !== undefined && offered !== undefined && protection !== downgradeHash(this.#hash, offered))
      throw new Error('The offer was changed on its way from the server.')

    const binding = Buffer.concat([Buffer.from(this.#header), channelBinding?.data ?? Buffer.alloc(0)])
    const withoutProof = `c=${binding.toString('base64')},r=${nonce}`
    const authMessage = `${this.#bare},${first},${withoutProof}`
    const salted = await saltPassword(this.#hash, password, Buffer.from(salt, 'base64'), Number(iterations))
    const clientKey = hmac(this.#hash, salted, 'Client Key')
    const clientSignature = hmac(this.#hash, digest(this.#hash, clientKey), authMessage)
    this.#serverSignature = hmac(this.#hash, hmac(this.#hash, salted, 'Server Key'), authMessage)
    return Buffer.from(`${withoutProof},p=${xor(clientSignature, clientKey).toString('base64')}`)
  }

  /** Whether the server-final-message proves that the server knows the verifier. */
  isServerRight(serverFinal: Buffer): boolean {
    const value = /^v=([^,]+)/.exec(serverFinal.toString())?.[1]
    const signature = Buffer.from(value ?? '', 'base64')
    return signature.length === this.#serverSignature?.length && timingSafeEqual(signature, this.#serverSignature)
  }
}

const encodeName = (name: string) => name.replaceAll('=', '=3D').replaceAll(',', '=2C')
