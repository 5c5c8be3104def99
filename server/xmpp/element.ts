/** XML elements as a tree. The only file that knows `ltx`, which is a lenient parser: it must never see bytes that the framer has not proved. */

import * as ltx from 'ltx'

export const Element = ltx.Element
export type Element = ltx.Element

/** What `xml` accepts as a child; undefined, null and false are left out so that a child can be given on a condition. */
export type Child = Element | string | number | undefined | null | false

/** What `xml` accepts as attributes; undefined ones are left out. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>

/** The text is not an element. */
export class XmlError extends Error {
  override readonly name = 'XmlError'
}

/**
 * The tree of one element whose text has been proved by the framer (or was written by ourselves). CDATA sections come out as text,
 * line ends as LF (XML 1.0 §2.11).
 * Throws XmlError when the text is not one complete element; it does not check more than that.
 */
export function parseElement(source: string | Uint8Array): Element {
  const text = typeof source === 'string' ? source : asBuffer(source).toString('utf8')
  let tree: unknown
  try {
    tree = ltx.parse(withoutCdata(text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text))
  } catch (cause) {
    throw new XmlError(`This is not an XML element: ${text.slice(0, 80)}`, { cause })
  }
  if (!(tree instanceof Element)) throw new XmlError(`This is not an XML element: ${text.slice(0, 80)}`)
  return tree
}

/** Builds an element: `xml('item', { jid, name: undefined }, xml('group', {}, 'Friends'))`. */
export function xml(name: string, attributes?: Attributes | null, ...children: readonly Child[]): Element {
  const element = new Element(name)
  for (const key in attributes) {
    const value = attributes[key]
    if (value !== undefined) element.attrs[key] = String(value)
  }
  for (const child of children) {
    if (typeof child === 'object' && child !== null) element.cnode(child)
    else if (typeof child === 'string' || typeof child === 'number') element.t(String(child))
  }
  return element
}

/** Text for the inside of an element. Characters that XML cannot carry (XML 1.0 §2.2) become U+FFFD. */
export function escapeText(text: string): string {
  return SPECIAL.test(text) ? replaceForbidden(text).replace(/[&<>\r]/g, entity) : text
}

/** Text for an attribute value in quotes of either kind; white space is written so that it survives normalisation (XML 1.0 §3.3.3). */
export function escapeAttribute(text: string): string {
  return SPECIAL.test(text) ? replaceForbidden(text).replace(/[&<>"'\t\n\r]/g, entity) : text
}

/** The text with every character that XML 1.0 §2.2 does not allow replaced by U+FFFD. */
export function replaceForbidden(text: string): string {
  return SUSPICIOUS.test(text) ? text.replace(FORBIDDEN, '\ufffd') : text
}

// One look tells that a text needs nothing. Surrogates are looked at more closely.
const SPECIAL = /[^\x20!#-%(-;=?-\ud7ff\ue000-\ufffd]/
const SUSPICIOUS = /[^\t\n\r\x20-\ud7ff\ue000-\ufffd]/
// With the u flag a surrogate matches only when it stands alone.
const FORBIDDEN = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
}

function entity(character: string): string {
  return ENTITIES[character] ?? character
}

// ltx drops the text that follows a CDATA section, so the section becomes ordinary text first. In proved XML "<![CDATA[" begins nothing else.
function withoutCdata(text: string): string {
  if (!text.includes('<![CDATA[')) return text
  return text.replace(/<!\[CDATA\[([\s\S]*?)\]\]>/g, (_, content: string) => content.replace(/[&<>]/g, entity))
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
