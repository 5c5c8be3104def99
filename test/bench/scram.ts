/** The client's side of SCRAM (RFC 5802). The slow hash is remembered per salt, so that load tests wait for the server only. */
import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'

export type Mechanism = 'SCRAM-SHA-1' | 'SCRAM-SHA-256'

const rememberedMax = 10_000
const salted = new Map<string, Promise<Buffer>>()

/** A login that has been begun: `first` is sent with `<auth/>`, `final` answers the challenge. Both are base64. */
export function beginScram(mechanism: Mechanism, username: string, password: string) {
  const hash = mechanism === 'SCRAM-SHA-1' ? 'sha1' : 'sha256'
  const firstBare = `n=${username},r=${randomBytes(12).toString('base64')}`
  const final = async (challenge: string): Promise<string> => {
    const serverFirst = Buffer.from(challenge, 'base64').toString()
    const [, nonce, salt, iterations] = /^r=([^,]+),s=([^,]+),i=(\d+)/.exec(serverFirst) ?? []
    if (!nonce || !salt || !iterations) throw new Error(`not a SCRAM challenge: ${serverFirst}`)
    const withoutProof = `c=${base64('n,,')},r=${nonce}`
    const saltedPassword = await saltPassword(hash, password, salt, Number(iterations))
    const clientKey = createHmac(hash, saltedPassword).update('Client Key').digest()
    const storedKey = createHash(hash).update(clientKey).digest()
    const signature = createHmac(hash, storedKey).update(`${firstBare},${serverFirst},${withoutProof}`).digest()
    const proof = clientKey.map((byte, index) => byte ^ (signature[index] ?? 0))
    return base64(`${withoutProof},p=${Buffer.from(proof).toString('base64')}`)
  }
  return { first: base64(`n,,${firstBare}`), final }
}

async function saltPassword(hash: string, password: string, salt: string, iterations: number): Promise<Buffer> {
  const key = `${hash} ${iterations} ${salt} ${password}`
  const known = salted.get(key)
  if (known) return await known
  if (salted.size >= rememberedMax) salted.clear()
  const bytes = hash === 'sha1' ? 20 : 32
  const made = promisify(pbkdf2)(password, Buffer.from(salt, 'base64'), iterations, bytes, hash)
  salted.set(key, made)
  return await made
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
