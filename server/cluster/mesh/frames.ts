/**
 * Frames on a link: 4 bytes length of what follows, 1 byte kind, for numbered kinds 6 bytes number, payload. Big-endian. Numbered frames are kept until
 * they are acknowledged; the others belong to one connection.
 */

/** Kinds of frames the link uses itself; from 16 on they belong to whoever uses the mesh. */
export const kind = { hello: 1, use: 2, ping: 3, pong: 4, ack: 5, bye: 6, refuse: 7, call: 8, reply: 9 } as const

export interface Frame {
  readonly kind: number
  /** 0 for kinds that are not numbered. */
  readonly number: number
  readonly payload: Buffer
}

/** Why bytes are not frames: the connection must end. */
export interface FrameFault {
  readonly fault: string
}

export const lengthBytes = 4
const plainHead = lengthBytes + 1
export const numberedHead = plainHead + 6
/** Kinds below are not numbered. */
const firstNumbered = kind.call
const kindMax = 63

/** A frame that is not numbered, ready to be written. */
export function plainFrame(frameKind: number, payload: Buffer | string = ''): Buffer {
  const size = Buffer.byteLength(payload)
  const bytes = Buffer.allocUnsafe(plainHead + size)
  bytes.writeUInt32BE(1 + size, 0)
  bytes[4] = frameKind
  if (typeof payload === 'string') bytes.write(payload, plainHead)
  else payload.copy(bytes, plainHead)
  return bytes
}

/** An acknowledgement of everything up to a number. */
export function ackFrame(number: number): Buffer {
  const bytes = Buffer.allocUnsafe(numberedHead)
  bytes.writeUInt32BE(7, 0)
  bytes[4] = kind.ack
  bytes.writeUIntBE(number, plainHead, 6)
  return bytes
}

/**
 * Writes one numbered frame.
 * @param bytes where to, with room for it
 * @param size of all pieces together
 * @returns where the next one begins
 */
export function writeNumbered(
  bytes: Buffer,
  at: number,
  frameKind: number,
  number: number,
  size: number,
  pieces: Buffer | readonly Buffer[],
): number {
  bytes.writeUInt32BE(7 + size, at)
  bytes[at + 4] = frameKind
  bytes.writeUIntBE(number, at + plainHead, 6)
  let next = at + numberedHead
  if (Buffer.isBuffer(pieces)) return next + pieces.copy(bytes, next)
  for (const piece of pieces) next += piece.copy(bytes, next)
  return next
}

/** What an acknowledgement says, or undefined when it is none. */
export function readAck(frame: Frame): number | undefined {
  return frame.payload.length === 6 ? frame.payload.readUIntBE(0, 6) : undefined
}

/** Cuts what comes over one connection into frames. Never throws: bytes that are no frames become a fault, and nothing is read after it. */
export class FrameReader {
  readonly #frameBytes: number
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0
  /** Chunks behind `#bytes`, joined only when a whole frame is there. */
  #more: Buffer[] = []
  #moreBytes = 0
  #fault: FrameFault | undefined

  /** @param frameBytes largest payload */
  constructor(frameBytes: number) {
    this.#frameBytes = frameBytes
  }

  push(chunk: Buffer): void {
    if (this.#at === this.#bytes.length && this.#more.length === 0) {
      this.#bytes = chunk
      this.#at = 0
    } else {
      this.#more.push(chunk)
      this.#moreBytes += chunk.length
    }
  }

  /** The next whole frame; its payload is a view of what was read. */
  next(): Frame | FrameFault | undefined {
    if (this.#fault) return this.#fault
    if (!this.#has(lengthBytes)) return undefined
    const length = this.#bytes.readUInt32BE(this.#at)
    if (length > this.#frameBytes + 7) return this.#end(`a frame of ${length} bytes is longer than is allowed`)
    if (length === 0) return this.#end('a frame has no kind')
    if (!this.#has(lengthBytes + length)) return undefined
    const start = this.#at + lengthBytes
    const frameKind = this.#bytes[start] ?? 0
    if (frameKind === 0 || frameKind > kindMax) return this.#end(`there is no kind ${frameKind} of frames`)
    const end = start + length
    this.#at = end
    if (frameKind < firstNumbered) return { kind: frameKind, number: 0, payload: this.#bytes.subarray(start + 1, end) }
    if (length < 7) return this.#end('a numbered frame has no number')
    const number = this.#bytes.readUIntBE(start + 1, 6)
    return { kind: frameKind, number, payload: this.#bytes.subarray(start + 7, end) }
  }

  /** Everything that has not been read: the connection goes on without frames. */
  rest(): Buffer {
    const rest = Buffer.concat([this.#bytes.subarray(this.#at), ...this.#more])
    this.#bytes = Buffer.alloc(0)
    this.#at = 0
    this.#more = []
    this.#moreBytes = 0
    return rest
  }

  #has(size: number): boolean {
    const here = this.#bytes.length - this.#at
    if (here >= size) return true
    if (here + this.#moreBytes < size) return false
    this.#bytes = this.rest()
    return true
  }

  #end(fault: string): FrameFault {
    this.rest()
    this.#fault = { fault }
    return this.#fault
  }
}
