/**
 * The secret part of a backup: the office's authority, certificates and secrets, encrypted with the recovery key. Who finds the folder
 * reads messages, but cannot pass for the office. AES-256-GCM (NIST SP 800-38D); the key is made of the recovery key by scrypt (RFC 7914).
 */
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto'
import { promisify } from 'node:util'
import { BackupFault } from './fault.ts'

/** Crockford's base 32, as the recovery sheet prints it. */
const LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const KEY_BYTES = 32
/** RFC 7914: 16 MB and some 50 ms for one try. The recovery key itself has 256 bits; this is for whoever thinks of a shorter one later. */
const COST = { N: 16_384, r: 8, p: 1 }

interface Envelope {
  readonly format: 1
  readonly cipher: 'aes-256-gcm'
  readonly scrypt: typeof COST
  readonly salt: string
  readonly iv: string
  readonly tag: string
  readonly data: string
}

/**
 * Encrypts.
 * @param key the recovery key, 32 bytes
 * @param about what the text belongs to; must be the same when it is opened
 * @returns the contents of `keys.enc`
 */
export async function seal(plain: string, key: Buffer, about: string): Promise<string> {
  const salt = randomBytes(16)
  const iv = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', await derive(key, salt), iv).setAAD(Buffer.from(about))
  const data = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()])
  const envelope: Envelope = {
    format: 1,
    cipher: 'aes-256-gcm',
    scrypt: COST,
    salt: salt.toString('base64'),
    iv: iv.toString('base64'),
    tag: cipher.getAuthTag().toString('base64'),
    data: data.toString('base64'),
  }
  return `${JSON.stringify(envelope, undefined, 2)}\n`
}

/**
 * Decrypts what `seal` made.
 * @throws BackupFault when the key is another office's or mistyped, or the text was changed
 */
export async function open(sealed: string, key: Buffer, about: string): Promise<string> {
  const { salt, iv, tag, data } = JSON.parse(sealed) as Envelope
  const bytes = (text: string): Buffer => Buffer.from(text, 'base64')
  const cipher = createDecipheriv('aes-256-gcm', await derive(key, bytes(salt)), bytes(iv))
    .setAAD(Buffer.from(about))
    .setAuthTag(bytes(tag))
  try {
    return Buffer.concat([cipher.update(bytes(data)), cipher.final()]).toString('utf8')
  } catch {
    // GCM says no more than: not with this key.
    throw new BackupFault('The recovery key does not fit this backup: copy it from the recovery sheet of this office.')
  }
}

/**
 * Reads a recovery key as people type it: lower case, without dashes, O for 0, I or L for 1.
 * @throws BackupFault with what is wrong
 */
export function parseKey(text: string): Buffer {
  const typed = text.toUpperCase().replace(/[\s-]/g, '').replaceAll('O', '0').replace(/[IL]/g, '1')
  const length = Math.ceil((KEY_BYTES * 8) / 5)
  const wrong = [...typed].find(letter => !LETTERS.includes(letter))
  if (wrong !== undefined)
    throw new BackupFault(`The recovery key holds no “${wrong}”: copy it from the recovery sheet.`)
  if (typed.length !== length) {
    throw new BackupFault(
      `The recovery key has ${length} letters and digits, but there are ${typed.length}: copy the whole of it from the recovery sheet.`,
    )
  }
  const key = Buffer.alloc(KEY_BYTES)
  let value = 0
  let bits = 0
  let at = 0
  for (const letter of typed) {
    value = (value << 5) | LETTERS.indexOf(letter)
    bits += 5
    if (bits < 8 || at === KEY_BYTES) continue
    bits -= 8
    key[at++] = (value >> bits) & 255
    value &= (1 << bits) - 1
  }
  return key
}

const derive = (key: Buffer, salt: Buffer): Promise<Buffer> =>
  promisify<Buffer, Buffer, number, typeof COST, Buffer>(scrypt)(key, salt, KEY_BYTES, COST)
