/** Makes a Stanza of a first-level element that the scanner has proved: what it inherits from the stream is written into it or taken out. */

import { Buffer } from 'node:buffer'
import type { Arrivals } from './arrivals.ts'
import { isBlank } from './characters.ts'
import { escapeAttribute } from './element.ts'
import { FramerError } from './framing-error.ts'
import { readStartTag, withoutSpans } from './markup.ts'
import { NS_CLIENT } from './namespaces.ts'
import { isContentNamespace, kindOf, Stanza } from './stanza.ts'
import type { StartTags } from './start-tags.ts'

/**
 * The stanza from `start` to `end` of what arrived, in the canonical form that Stanza describes.
 * Throws FramerError: bad-namespace-prefix when its content namespace has a prefix (RFC 6120 §4.8.5), invalid-namespace when it is not the stream's (§4.8.3).
 */
export function canonicalStanza(tags: StartTags, arrivals: Arrivals, start: number, end: number): Stanza {
  const { to, from, type, lang, name, children } = tags
  const kind = kindOf(name, tags.ns)
  if (tags.prefix !== '' && isContentNamespace(tags.ns)) {
    throw new FramerError('bad-namespace-prefix', `<${tags.prefix}:${name}/> must be written without a prefix.`)
  }
  if (kind !== 'other' && tags.ns !== tags.outerDefaultNs && isContentNamespace(tags.outerDefaultNs)) {
    throw new FramerError('invalid-namespace', `The namespace of a stanza is not that of the stream: ${tags.ns}`)
  }
  const ns = kind === 'other' ? tags.ns : NS_CLIENT
  const bytes = canonicalBytes(tags, arrivals, start, end, kind === 'other')
  const shift = bytes.length - (end - start)
  // With an attribute cut out of the tag the id may not have moved as the rest has.
  const isIdLeft = tags.idStart > 0 && tags.xmlnsEnd === 0
  const isIdRead = tags.idStart > 0 && !isIdLeft
  const id = isIdRead ? arrivals.bytes.toString('latin1', start + tags.idStart, start + tags.idEnd) : tags.id
  const idStart = isIdLeft ? tags.idStart + shift : 0
  const parts = { kind, name, ns, to, from, id, type, lang, bytes, idStart, idEnd: tags.idEnd + shift }
  const stanza = new Stanza(parts, children, shift)
  return kind !== 'other' && tags.ns !== NS_CLIENT ? withoutRestated(stanza, tags.ns) : stanza
}

function canonicalBytes(tags: StartTags, arrivals: Arrivals, start: number, end: number, standsAlone: boolean): Buffer {
  const added = inherited(tags, standsAlone)
  const isCut = !standsAlone && tags.xmlnsEnd > 0
  if (added === '' && !isCut) return arrivals.keep(start, end)
  const { bytes } = arrivals
  const nameEnd = start + tags.nameEnd
  let cutStart = isCut ? start + tags.xmlnsStart : nameEnd
  while (isCut && isBlank(bytes[cutStart - 1] as number)) cutStart--
  const cutEnd = isCut ? start + tags.xmlnsEnd : nameEnd
  const beforeCut = bytes.subarray(nameEnd, cutStart)
  return Buffer.concat([bytes.subarray(start, nameEnd), Buffer.from(added), beforeCut, bytes.subarray(cutEnd, end)])
}

// The declarations of the stream header that the element uses.
function inherited(tags: StartTags, standsAlone: boolean): string {
  let added = ''
  for (let index = 0, used = tags.usedOuter; used !== 0; index++, used >>>= 1) {
    if ((used & 1) === 1) added += ` xmlns:${tags.scope.prefix(index)}='${escapeAttribute(tags.scope.uri(index))}'`
  }
  // Without any xmlns the bytes of a <message/> in no namespace would look like those of a stanza.
  if (standsAlone && tags.declaredNs === undefined && (tags.outerDefaultNs !== '' || tags.prefix === '')) {
    added += ` xmlns='${escapeAttribute(tags.outerDefaultNs)}'`
  }
  return added
}

// On a server or component stream a child may say again that it is in the content namespace; in the canonical context that would be another namespace.
function withoutRestated(stanza: Stanza, contentNs: string): Stanza {
  const restated = stanza.children.filter(child => child.ns === contentNs)
  if (restated.length === 0) return stanza
  let { bytes } = stanza
  for (const child of restated.reverse()) {
    const tag = readStartTag(bytes, child.start)
    const spans = tag.attributes.filter(({ name }) => name === 'xmlns')
    bytes = withoutSpans(bytes, tag, spans)
  }
  return Stanza.fromBytes(bytes)
}
