/** XEP-0203: Delayed Delivery. Times are milliseconds since 1970. */
import { type Element, escapeAttribute, escapeText } from './element.ts'
import { NS_DELAY } from './namespaces.ts'
import { parseDateTime, printDateTime } from './time.ts'

/** `<delay/>` as text, to be appended to a stanza. `from`: who kept the stanza; the server itself or a room. */
export function delayXml(delay: { stampMs: number; from?: string; reason?: string }): string {
  const from = delay.from === undefined ? '' : ` from='${escapeAttribute(delay.from)}'`
  const start = `<delay xmlns='${NS_DELAY}'${from} stamp='${printDateTime(delay.stampMs)}'`
  return delay.reason === undefined ? `${start}/>` : `${start}>${escapeText(delay.reason)}</delay>`
}

/** What a `<delay/>` says; undefined when its stamp is missing or none. */
export function readDelay(delay: Element): { stampMs: number; from: string | undefined } | undefined {
  const stampMs = parseDateTime(String(delay.attrs.stamp ?? ''))
  return stampMs === undefined ? undefined : { stampMs, from: delay.attrs.from }
}
