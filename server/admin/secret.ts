/** Secrets that are shown once and kept as hashes, and passwords made up for people. */
import { createHash, randomBytes, randomInt } from 'node:crypto'

/** 256 random bits as text, with a prefix that says what it is. */
export function makeSecret(prefix = ''): string {
  return `${prefix}${randomBytes(32).toString('base64url')}`
}

/** What is kept of a secret. It has 256 bits of its own, so a plain hash is enough. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

const consonants = 'bcdfghjkmnprstvwz'
const vowels = 'aeiou'

/** A password that can be read out and typed: four groups of five, 63 bits: `kaba7-…`, digits and letters that look alike are left out. */
export function makePassword(): string {
  const pick = (letters: string): string => letters.charAt(randomInt(letters.length))
  const group = (): string => [consonants, vowels, consonants, vowels, '23456789'].map(pick).join('')
  return [group(), group(), group(), group()].join('-')
}
