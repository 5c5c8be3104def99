/**
 * The first frame in both directions of a connection between nodes: JSON, unknown fields are ignored, so that neighbouring versions work side by side.
 */
import type { SelfNode } from '../node.ts'

/** Nodes of different majors cannot talk; what is added under the same major must be ignorable. */
export const protocol = { major: 1, minor: 0 }

export type Purpose = 'link' | 'database' | 'hazelcast'

export interface Hello {
  readonly protocol: { readonly major: number; readonly minor: number }
  readonly purpose: Purpose
  readonly version: string
  readonly hazelcast: string | undefined
  readonly name: string
  readonly number: number
  readonly epoch: number
  /** Random for each process: tells two processes with one identity apart. */
  readonly life: string
  /** Its cluster port: with the address the connection comes from, a way to reach it. */
  readonly port: number
  /** Links: its half of the channel, the other half as it knows it, and the last number it has handled. */
  readonly channel: string
  readonly knows: string | undefined
  readonly received: number
  /** Links: the link with this serial, and all before it, are over for it. */
  readonly over: number
  /** Streams: the answer to a request to be dialled. */
  readonly answers: string | undefined
}

const textMax = 256

/** What this node says about itself in each hello. */
export type HelloBase = Pick<
  Hello,
  'protocol' | 'version' | 'hazelcast' | 'name' | 'number' | 'epoch' | 'life' | 'port'
>

/** The part of a hello that is the same for all connections of this process. */
export function helloBase(self: SelfNode, life: string, port: number): HelloBase {
  const { name, number, epoch, version, hazelcast } = self
  return { protocol, version, hazelcast, name, number, epoch, life, port }
}

/** A hello on a connection that becomes a stream. */
export function streamHello(base: HelloBase, purpose: Purpose, answers?: string): Hello {
  return { ...base, purpose, channel: '', knows: undefined, received: 0, over: 0, answers }
}

/** @returns a sentence when it is no hello. Only `protocol` is looked at when its major is another one. */
export function readHello(payload: Buffer): Hello | string {
  const said = readJson(payload)
  if (said === undefined) return 'its first words are not JSON'
  const version = record(said.protocol)
  const major = whole(version?.major)
  const minor = whole(version?.minor)
  if (major === undefined || minor === undefined) return 'it does not say which protocol it speaks'
  if (major !== protocol.major) return unlikeProtocol(major, text(said.version))
  const { purpose } = said
  if (purpose !== 'link' && purpose !== 'database' && purpose !== 'hazelcast')
    return 'it wants a connection for nothing known'
  const hello = {
    version: text(said.version),
    name: text(said.name),
    number: whole(said.number),
    epoch: whole(said.epoch),
    life: text(said.life),
    port: whole(said.port),
    channel: text(said.channel),
    received: whole(said.received),
    over: whole(said.over),
  }
  if (!isComplete(hello)) return 'its first words are not complete'
  const extra = { hazelcast: text(said.hazelcast), knows: text(said.knows), answers: text(said.answers) }
  return { ...hello, ...extra, protocol: { major, minor }, purpose }
}

/** Of two nodes that cannot talk, the older one must be updated. */
function unlikeProtocol(major: number, version: string | undefined): string {
  const program = version === undefined ? 'its version of Lanthorn' : `its Lanthorn ${version}`
  return major > protocol.major
    ? `${program} is too new for this one: update this PC`
    : `${program} is too old for this one: update that PC`
}

/** A JSON object of a payload, or undefined. */
export function readJson(payload: Buffer): Record<string, unknown> | undefined {
  try {
    return record(JSON.parse(payload.toString('utf8')))
  } catch {
    // Whatever it is, it is not JSON: said by the return value.
    return undefined
  }
}

function record(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= textMax ? value : undefined
}

/** A whole number from 0 on that fits into the 6 bytes of a frame's number. */
export function whole(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 48 ? value : undefined
}

type Complete<T> = { [K in keyof T]: NonNullable<T[K]> }

function isComplete<T extends object>(value: T): value is T & Complete<T> {
  return Object.values(value).every(part => part !== undefined)
}
