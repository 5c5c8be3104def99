/**
 * What nodes say to everybody on the network: one packet, signed by the office's authority, without any secret. Layout (big-endian):
 * 'LNTH' · format 1 · kind · then for a beacon: signature (64) over all the rest · public key of the authority (SPKI, 91) · office id (16) · epoch (4) ·
 * counter (6) · wall time, ms (6) · cluster port (2) · node id, name, version, Hazelcast generation (each with its length, 1).
 */

import { isUtf8 } from 'node:buffer'
import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { officeIdOfKey } from '../pairing/office-id.ts'

/** Fits into one frame of any network, IPv6 headers included. */
export const packetBytesMax = 1_200

/** What a node says of itself. */
export interface Announcement {
  /** `nodeId` of its data folder. */
  readonly nodeId: string
  readonly name: string
  readonly epoch: number
  /** Its cluster port. */
  readonly port: number
  readonly version: string
  readonly hazelcast?: string | undefined
}

/** An announcement as it came in: well-formed, but anybody may have made it until `isSigned` says that the holder of `spki` has. */
export interface Beacon extends Announcement {
  readonly kind: 'beacon'
  /** First 16 bytes of SHA-256 over `spki`, lower-case hex. */
  readonly officeId: string
  readonly counter: number
  /** Milliseconds since 1970, by its clock. */
  readonly time: number
  readonly spki: Buffer
  readonly signature: Buffer
  readonly signed: Buffer
}

/** Somebody wants to know now who is there. */
export interface Query {
  readonly kind: 'query'
}

const magic = Buffer.from('LNTH')
const format = 1
const kinds = { beacon: 1, query: 2 } as const
const headBytes = magic.length + 2
const queryBytes = headBytes + 8
const signatureBytes = 64
const idBytes = 16
// SEC 1 §2.3.3 point, uncompressed, in the one SubjectPublicKeyInfo that P-256 has (RFC 5480 §2).
const spkiHead = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex')
const spkiBytes = spkiHead.length + 64
const texts = { nodeId: 63, name: 63, version: 32, hazelcast: 16 } as const
const dsaEncoding = 'ieee-p1363'

/** A question to all. @param random 8 bytes, so that two are never the same */
export function queryPacket(random: Buffer): Buffer {
  return Buffer.concat([magic, Buffer.from([format, kinds.query]), random.subarray(0, queryBytes - headBytes)])
}

/**
 * Makes and signs one packet.
 * @param signer the authority's private key and its public one (SPKI, DER)
 * @param counter must grow from packet to packet of one epoch
 * @param time milliseconds since 1970
 */
export function beaconPacket(
  what: Announcement,
  signer: { readonly key: KeyObject; readonly spki: Buffer },
  counter: number,
  time: number,
): Buffer {
  const numbers = Buffer.alloc(4 + 6 + 6 + 2)
  numbers.writeUInt32BE(what.epoch, 0)
  numbers.writeUIntBE(counter, 4, 6)
  numbers.writeUIntBE(time, 10, 6)
  numbers.writeUInt16BE(what.port, 16)
  const head = Buffer.concat([magic, Buffer.from([format, kinds.beacon])])
  const body = Buffer.concat([
    signer.spki,
    Buffer.from(officeIdOfKey(signer.spki), 'hex'),
    numbers,
    ...(Object.keys(texts) as (keyof typeof texts)[]).map(field => packText(what[field] ?? '', texts[field])),
  ])
  const signature = sign('sha256', Buffer.concat([head, body]), { key: signer.key, dsaEncoding })
  return Buffer.concat([head, signature, body])
}

/** Reads a packet. Undefined when anything about it is not exactly as it must be. Costs one SHA-256 at most. */
export function readPacket(packet: Buffer): Beacon | Query | undefined {
  if (packet.length < queryBytes || packet.length > packetBytesMax) return undefined
  if (!packet.subarray(0, magic.length).equals(magic) || packet.readUInt8(magic.length) !== format) return undefined
  const kind = packet.readUInt8(magic.length + 1)
  if (kind === kinds.query) return packet.length === queryBytes ? { kind: 'query' } : undefined
  return kind === kinds.beacon ? readBeacon(packet) : undefined
}

/** Whether the holder of the key in it has signed it: the key whose hash is its office id. */
export function isSigned(beacon: Beacon): boolean {
  try {
    const key = createPublicKey({ key: beacon.spki, format: 'der', type: 'spki' })
    return verify('sha256', beacon.signed, { key, dsaEncoding }, beacon.signature)
  } catch {
    // A point that is not on the curve is no key.
    return false
  }
}

function readBeacon(packet: Buffer): Beacon | undefined {
  let at = headBytes
  const take = (count: number) => {
    at += count
    return packet.subarray(at - count, at)
  }
  if (packet.length < headBytes + signatureBytes + spkiBytes + idBytes + 18 + Object.keys(texts).length)
    return undefined
  const signature = Buffer.from(take(signatureBytes))
  const body = packet.subarray(at)
  const spki = Buffer.from(take(spkiBytes))
  const officeId = take(idBytes).toString('hex')
  const numbers = take(18)
  const takeText = (max: number) => readText(take(take(1)[0] ?? 0), max)
  const [nodeId, name] = [takeText(texts.nodeId), takeText(texts.name)]
  const [version, hazelcast] = [takeText(texts.version), takeText(texts.hazelcast)]
  const port = numbers.readUInt16BE(16)
  // `take` gives less than asked for when the packet is too short: then `at` is behind its end.
  if (at !== packet.length || !nodeId || !name || !version || hazelcast === undefined || port === 0) return undefined
  if (!spki.subarray(0, spkiHead.length).equals(spkiHead) || officeIdOfKey(spki) !== officeId) return undefined
  return {
    kind: 'beacon',
    nodeId,
    name,
    epoch: numbers.readUInt32BE(0),
    port,
    version,
    ...(hazelcast !== '' && { hazelcast }),
    officeId,
    counter: numbers.readUIntBE(4, 6),
    time: numbers.readUIntBE(10, 6),
    spki,
    signature,
    signed: Buffer.concat([packet.subarray(0, headBytes), body]),
  }
}

function packText(text: string, max: number): Buffer {
  let bytes = Buffer.from(text)
  // Cut between characters.
  for (let short = text; bytes.length > max; bytes = Buffer.from(short)) short = [...short].slice(0, -1).join('')
  return Buffer.concat([Buffer.from([bytes.length]), bytes])
}

function readText(bytes: Buffer, max: number): string | undefined {
  if (bytes.length > max || !isUtf8(bytes)) return undefined
  const text = bytes.toString('utf8')
  // Shown to people: nothing in it may move or hide other text.
  return /\p{C}/u.test(text) ? undefined : text
}
