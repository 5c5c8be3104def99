/**
 * Frames of the bus as bytes. A deliver frame is [length of its header][header][stanza]: the stanza is neither copied nor looked at. The header is text,
 * one field a line: no address and no id contains a control character (RFC 7622 §3.3, §3.4), and one string is written and read faster than twenty.
 */
import { Buffer } from 'node:buffer'
import type { DeliveredRow, Delivery } from './bus.ts'

/** Most targets of one frame; a person has far fewer sessions. */
const TARGETS_MAX = 1_000
const HEADER_BYTES_MAX = 4 * 2 ** 20

const PENDING = 1
const IN_SENDER = 2
const IN_RECEIVER = 4

/** The frame of a delivery without its stanza. `number` names it in the answer. */
export function deliverHeader(number: number, { targets, asker, row }: Delivery): Buffer {
  let text = `${number}\n${targets.length === 1 ? targets[0] : targets.join('\t')}\n${asker ?? ''}`
  if (row) {
    const marks = (row.pending ? PENDING : 0) + (row.inSender ? IN_SENDER : 0) + (row.inReceiver ? IN_RECEIVER : 0)
    text += `\n${row.id}\n${marks}\n${row.from}\n${row.to}\n${row.sender ?? ''}\n${row.receiver}\n${row.stream ?? ''}\n${row.count ?? ''}\n${row.previous ?? ''}`
  }
  const length = Buffer.byteLength(text)
  const header = Buffer.allocUnsafe(4 + length)
  header.writeUInt32BE(length, 0)
  header.write(text, 4)
  return header
}

/** Reads a deliver frame. @returns undefined when it is none: a bug of the other side, or a version that we do not know */
export function readDelivery(frame: Buffer): { number: number; delivery: Delivery } | undefined {
  if (frame.length < 4) return undefined
  const end = 4 + frame.readUInt32BE(0)
  if (end > frame.length || end > HEADER_BYTES_MAX) return undefined
  const [number, names, asker, ...rest] = frame.toString('utf8', 4, end).split('\n')
  if (number === undefined || names === undefined) return undefined
  const targets = names.split('\t')
  if (targets.length > TARGETS_MAX) return undefined
  const row = readRow(rest)
  // Copied: a session may keep the stanza for long, and must not keep all that came with it.
  const bytes = Buffer.allocUnsafe(frame.length - end)
  frame.copy(bytes, 0, end)
  return { number: Number(number), delivery: { targets, bytes, ...(row && { row }), ...(asker && { asker }) } }
}

function readRow(fields: readonly string[]): DeliveredRow | undefined {
  const [id, marks, from, to, sender, receiver, stream, count, previous] = fields
  if (id === undefined || from === undefined || to === undefined || receiver === undefined) return undefined
  const bits = Number(marks)
  return {
    id,
    from,
    to,
    sender: sender || undefined,
    receiver,
    pending: (bits & PENDING) !== 0,
    inSender: (bits & IN_SENDER) !== 0,
    inReceiver: (bits & IN_RECEIVER) !== 0,
    stream: stream || undefined,
    count: count ? Number(count) : undefined,
    previous: previous ? Number(previous) : undefined,
  }
}

/** Tells which targets of delivery `number` were not reached: their places in its list. */
export function goneFrame(number: number, places: readonly number[]): Buffer {
  const frame = Buffer.allocUnsafe(4 + 2 * places.length)
  frame.writeUInt32BE(number, 0)
  for (const [index, place] of places.entries()) frame.writeUInt16BE(place, 4 + 2 * index)
  return frame
}

export function readGone(frame: Buffer): { number: number; places: number[] } | undefined {
  if (frame.length < 4) return undefined
  const places: number[] = []
  for (let at = 4; at + 2 <= frame.length; at += 2) places.push(frame.readUInt16BE(at))
  return { number: frame.readUInt32BE(0), places }
}

/** A word about a topic. */
export function tellFrame(topic: string, body: unknown): Buffer {
  return Buffer.from(`${topic}\n${JSON.stringify(body) ?? 'null'}`)
}

/** @throws SyntaxError when the body is no JSON */
export function readTell(frame: Buffer): { topic: string; body: unknown } {
  const end = frame.indexOf(0x0a)
  return { topic: frame.toString('utf8', 0, end), body: JSON.parse(frame.toString('utf8', end + 1)) }
}

/** Says that a session is crowded, or no longer. */
export function crowdedFrame(target: string, isCrowded: boolean): Buffer {
  return Buffer.from(`${isCrowded ? '+' : '-'}${target}`)
}

export function readCrowded(frame: Buffer): { target: string; isCrowded: boolean } {
  return { target: frame.toString('utf8', 1), isCrowded: frame[0] === 0x2b }
}
