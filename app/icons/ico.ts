/** Windows' icon files: several sizes in one. Small ones as bitmaps, which every program reads; 256 pixels as PNG, as Windows does itself. */

/** One size: its pixels (RGBA, from the top), and the same as PNG. */
export interface Drawn {
  readonly size: number
  readonly rgba: Buffer
  readonly png: Buffer
}

const PNG_FROM = 256

/** Puts them into one file. */
export function icoOf(drawn: readonly Drawn[]): Buffer {
  const bodies = drawn.map(one => (one.size >= PNG_FROM ? one.png : bitmapOf(one)))
  const head = Buffer.alloc(6)
  head.writeUInt16LE(1, 2)
  head.writeUInt16LE(drawn.length, 4)
  let at = 6 + 16 * drawn.length
  const entries = drawn.map(({ size }, index) => {
    const length = bodies[index]?.length ?? 0
    const entry = Buffer.alloc(16)
    entry.writeUInt8(size % 256, 0)
    entry.writeUInt8(size % 256, 1)
    entry.writeUInt16LE(1, 4)
    entry.writeUInt16LE(32, 6)
    entry.writeUInt32LE(length, 8)
    entry.writeUInt32LE(at, 12)
    at += length
    return entry
  })
  return Buffer.concat([head, ...entries, ...bodies])
}

/** A bitmap without its file header: from the bottom, BGRA, and an empty mask that says "see alpha". */
function bitmapOf({ size, rgba }: Drawn): Buffer {
  const head = Buffer.alloc(40)
  head.writeUInt32LE(40, 0)
  head.writeInt32LE(size, 4)
  head.writeInt32LE(size * 2, 8)
  head.writeUInt16LE(1, 12)
  head.writeUInt16LE(32, 14)
  const pixels = Buffer.alloc(size * size * 4)
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const from = ((size - 1 - row) * size + column) * 4
      const to = (row * size + column) * 4
      pixels.writeUInt8(rgba[from + 2] ?? 0, to)
      pixels.writeUInt8(rgba[from + 1] ?? 0, to + 1)
      pixels.writeUInt8(rgba[from] ?? 0, to + 2)
      pixels.writeUInt8(rgba[from + 3] ?? 0, to + 3)
    }
  }
  const mask = Buffer.alloc(Math.ceil(size / 32) * 4 * size)
  return Buffer.concat([head, pixels, mask])
}
