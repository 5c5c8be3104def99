/** The recovery sheet: office, fingerprint, and a key that is made once and kept in this PC's secrets. */
import { X509Certificate } from 'node:crypto'
import type { DataFolder } from '../node.ts'
import type { Recovery } from './parts.ts'

/** Crockford's base 32: no letter that can be taken for a digit. */
const LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const GROUP = 4

/**
 * Makes the sheet of an office.
 * @param options.authority PEM of the office's own authority
 */
export function createRecovery(options: {
  office: string
  domain: string
  officeId: string
  pc: string
  authority: () => string
  folder: Pick<DataFolder, 'randomSecret' | 'secret' | 'saveSecrets'>
  now: () => number
}): Recovery {
  const { folder, office, domain, officeId, pc } = options
  const madeAt = async (): Promise<string> => {
    const known = folder.secret('recovery-made-at')
    if (known !== undefined) return known
    const now = new Date(options.now()).toISOString()
    await folder.saveSecrets({ 'recovery-made-at': now })
    return now
  }
  return {
    sheet: async () => ({
      office,
      domain,
      officeId,
      fingerprint: new X509Certificate(options.authority()).fingerprint256,
      recoveryKey: printKey(Buffer.from(await folder.randomSecret('recovery-key'), 'base64url')),
      pc,
      madeAt: await madeAt(),
      kept: folder.secret('recovery-kept-at') !== undefined,
    }),
    keep: () => folder.saveSecrets({ 'recovery-kept-at': new Date(options.now()).toISOString() }),
  }
}

/** Bytes as groups of four letters and digits: `7Q4K-M2PX-…`. */
export function printKey(key: Buffer): string {
  let text = ''
  let bits = 0
  let value = 0
  for (const byte of key) {
    value = (value << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += LETTERS[(value >> bits) & 31]
      value &= (1 << bits) - 1
    }
  }
  if (bits > 0) text += LETTERS[(value << (5 - bits)) & 31]
  return text.match(new RegExp(`.{1,${GROUP}}`, 'g'))?.join('-') ?? ''
}
