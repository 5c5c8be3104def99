/** The `<body/>` around what goes over BOSH: XEP-0124 §5 to §17, with the attributes of XEP-0206. */
import { escapeAttribute } from '../xmpp/element.ts'
import { StreamError } from '../xmpp/errors.ts'
import { Framer, type FramerEvent, type FramerLimits } from '../xmpp/framer.ts'
import { decodeValue, readStartTag } from '../xmpp/markup.ts'
import { NS_FRAMING, NS_STREAM } from '../xmpp/namespaces.ts'

const NS_BOSH = 'http://jabber.org/protocol/httpbind'
const NS_XBOSH = 'urn:xmpp:xbosh'
/** Elements in one request. */
const PAYLOADS_MAX = 500
/** RFC-like bound of XEP-0124 §14.1: "the largest number representable" without loss. */
const RID_MAX = Number.MAX_SAFE_INTEGER

/** Why a session ends (§17.2). */
export type BoshCondition =
  | 'bad-request'
  | 'host-unknown'
  | 'item-not-found'
  | 'policy-violation'
  | 'remote-stream-error'
  | 'see-other-uri'
  | 'system-shutdown'

/** A request, read. */
export interface BoshRequest {
  readonly rid: number
  readonly sid: string | undefined
  readonly to: string | undefined
  readonly from: string | undefined
  readonly lang: string | undefined
  readonly key: string | undefined
  readonly newKey: string | undefined
  /** The seconds and the number of requests that the client wants them to be held (§7.1). */
  readonly wait: number
  readonly hold: number
  readonly version: string | undefined
  /** The client acknowledges answers, and wants its requests to be acknowledged (§9). */
  readonly usesAcks: boolean
  readonly isTerminating: boolean
  /** XEP-0206 §5: a new stream begins. */
  readonly isRestart: boolean
  /** XEP-0206 §3: the version of XMPP. */
  readonly xmppVersion: string | undefined
  /** What is in it: each a document of its own. */
  readonly payloads: readonly Buffer[]
}

/**
 * Reads the body of a request, which is proved to be well-formed.
 * @throws StreamError when it is no such body
 */
export function readBody(bytes: Buffer, limits: Partial<FramerLimits>): BoshRequest {
  const framer = new Framer({ mode: 'stream', limits })
  const payloads: Buffer[] = []
  let open: Extract<FramerEvent, { type: 'open' }> | undefined
  let isWhole = false
  framer.push(Buffer.from(bytes), event => {
    if (event.type === 'open') open = event
    else if (event.type === 'close') isWhole = true
    else payloads.push(event.stanza.toDocument())
    if (payloads.length > PAYLOADS_MAX) throw new StreamError('policy-violation', 'Too much is in one request.')
  })
  if (!isWhole || open?.name !== 'body' || open.ns !== NS_BOSH) {
    throw new StreamError('bad-format', `A request is one <body/> of ${NS_BOSH}.`)
  }
  const attributes = attributesOf(bytes, open.prefixes)
  const rid = Number(attributes.get('rid'))
  if (!/^\d{1,16}$/.test(attributes.get('rid') ?? '') || rid > RID_MAX) {
    throw new StreamError('bad-format', 'A request has a number rid.')
  }
  return {
    rid,
    sid: attributes.get('sid'),
    to: attributes.get('to'),
    from: attributes.get('from'),
    lang: open.header.lang,
    key: attributes.get('key'),
    newKey: attributes.get('newkey'),
    wait: wholeOf(attributes.get('wait')),
    hold: wholeOf(attributes.get('hold')),
    version: attributes.get('ver'),
    usesAcks: attributes.get('ack') === '1',
    isTerminating: attributes.get('type') === 'terminate',
    isRestart: isTrue(attributes.get(`${NS_XBOSH} restart`)),
    xmppVersion: attributes.get(`${NS_XBOSH} version`),
    payloads,
  }
}

/** The attributes of a document that is well-formed; those with a prefix under 'namespace name'. */
function attributesOf(bytes: Buffer, prefixes: ReadonlyMap<string, string>): Map<string, string> {
  let start = bytes.indexOf('<')
  if (bytes[start + 1] === '?'.charCodeAt(0)) start = bytes.indexOf('<', start + 1)
  const attributes = new Map<string, string>()
  for (const { name, valueStart, valueEnd } of readStartTag(bytes, start).attributes) {
    const [prefix = '', local] = name.split(':')
    const key = local === undefined ? name : `${prefixes.get(prefix) ?? ''} ${local}`
    attributes.set(key, decodeValue(bytes, valueStart, valueEnd))
  }
  return attributes
}

function wholeOf(text: string | undefined): number {
  return text !== undefined && /^\d{1,5}$/.test(text) ? Number(text) : 0
}

const isTrue = (text: string | undefined): boolean => text === 'true' || text === '1'

/** A `<body/>` of ours. */
export function bodyOf(
  attributes: Readonly<Record<string, string | number | undefined>>,
  content: readonly (Buffer | string)[] = [],
): string {
  let text = `<body xmlns='${NS_BOSH}'`
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) text += ` ${name}='${escapeAttribute(String(value))}'`
  }
  return content.length === 0 ? `${text}/>` : `${text}>${content.map(String).join('')}</body>`
}

/** The end of a session. @param uri with `see-other-uri`: where to go */
export function terminationOf(
  condition: BoshCondition | undefined,
  content: readonly (Buffer | string)[] = [],
): string {
  return bodyOf({ type: 'terminate', condition }, content)
}

/** XEP-0206 §4: what the first answer says besides. */
export const xmppAttributes = {
  'xmlns:xmpp': NS_XBOSH,
  'xmlns:stream': NS_STREAM,
  'xmpp:version': '1.0',
  'xmpp:restartlogic': 'true',
} as const

/** The stream header that a request stands for, as over WebSocket (RFC 7395 §3.4). */
export function openOf({ to, from, lang, xmppVersion }: BoshRequest): Buffer {
  const attributes = Object.entries({ to, from, version: xmppVersion ?? '1.0', 'xml:lang': lang })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}='${escapeAttribute(value ?? '')}'`)
  return Buffer.from(`<open xmlns='${NS_FRAMING}'${attributes.join('')}/>`)
}

/** The end of the stream. */
export const closeElement = Buffer.from(`<close xmlns='${NS_FRAMING}'/>`)
