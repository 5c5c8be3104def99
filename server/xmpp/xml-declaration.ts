/** The XML declaration, which may begin a stream (XML 1.0 §2.8, RFC 6120 §11.4 to §11.6). */

import type { Buffer } from 'node:buffer'
import { isBlank } from './characters.ts'
import { FramerError } from './framing-error.ts'

const DECLARATION_BYTES_MAX = 256
const OPENING = '<?xml'
const DECLARATION =
  /^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(["'])1\.0\1(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(["'])([A-Za-z][-\w.]*)\2)?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(["'])(?:yes|no)\4)?[ \t\r\n]*\?>$/

/**
 * Length in bytes of the XML declaration whose "<?" stands at `start`, or 0 when it is unfinished at `end`. Throws FramerError: restricted-xml for another
 * processing instruction, unsupported-encoding for an encoding that is not UTF-8, not-well-formed for the rest (also for versions other than 1.0).
 */
export function declarationLength(bytes: Buffer, start: number, end: number): number {
  for (let index = 0; index < OPENING.length && start + index < end; index++) {
    if (bytes[start + index] !== OPENING.charCodeAt(index)) throw instruction()
  }
  if (start + OPENING.length < end && !isBlank(bytes[start + OPENING.length] as number)) throw instruction()
  const stop = Math.min(end, start + DECLARATION_BYTES_MAX)
  const text = bytes.toString('latin1', start, stop)
  const close = text.indexOf('?>')
  if (close < 0) {
    if (text.length === DECLARATION_BYTES_MAX)
      throw new FramerError('not-well-formed', 'The XML declaration has no end.')
    return 0
  }
  const parts = DECLARATION.exec(text.slice(0, close + 2))
  if (parts === null) throw new FramerError('not-well-formed', 'The XML declaration is not one of XML 1.0.')
  if (parts[3] !== undefined && parts[3].toLowerCase() !== 'utf-8') {
    throw new FramerError('unsupported-encoding', `The encoding is ${parts[3]}; XMPP allows UTF-8 only.`)
  }
  return close + 2
}

function instruction(): FramerError {
  return new FramerError('restricted-xml', 'Processing instructions are not allowed in XMPP.')
}
