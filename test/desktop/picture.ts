/** Reads the small pictures of the tray: enough of PNG (8 bits, RGBA, not interlaced) to tell their colour. */
import { inflateSync } from 'node:zlib'

const SIGNATURE_BYTES = 8
const BYTES_PER_PIXEL = 4

/** `green`, `amber`, `red` or `grey`, whichever most pixels have; with ` + blue` when a dot is on it. */
export function dominantColour(png: Buffer): string {
  const counts = new Map<string, number>()
  for (const pixel of pixelsOf(png)) {
    const name = nameOf(pixel)
    if (name) counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  const blue = counts.get('blue') ?? 0
  counts.delete('blue')
  const [most] = [...counts].sort(([, a], [, b]) => b - a)
  return `${most?.[0] ?? 'nothing'}${blue > 0 ? ' + blue' : ''}`
}

function nameOf([red = 0, green = 0, blue = 0, alpha = 0]: Uint8Array): string | undefined {
  if (alpha < 250) return undefined
  const most = Math.max(red, green, blue)
  const least = Math.min(red, green, blue)
  if (least > 230) return undefined // the white mark
  if (most - least < 40) return most < 80 ? undefined : 'grey'
  if (most === blue) return 'blue'
  if (most === green) return 'green'
  return green > 130 ? 'amber' : 'red'
}

function* pixelsOf(png: Buffer): Generator<Uint8Array> {
  const { width, height, data } = chunksOf(png)
  const lines = inflateSync(data)
  const length = width * BYTES_PER_PIXEL
  let above: Uint8Array = new Uint8Array(length)
  for (let row = 0; row < height; row++) {
    const at = row * (length + 1)
    const line = unfiltered(lines[at] ?? 0, lines.subarray(at + 1, at + 1 + length), above)
    for (let column = 0; column < width; column++) {
      yield line.subarray(column * BYTES_PER_PIXEL, (column + 1) * BYTES_PER_PIXEL)
    }
    above = line
  }
}

function chunksOf(png: Buffer): { width: number; height: number; data: Buffer } {
  const parts: Buffer[] = []
  let [width, height] = [0, 0]
  for (let at = SIGNATURE_BYTES; at < png.length; ) {
    const length = png.readUInt32BE(at)
    const type = png.toString('latin1', at + 4, at + 8)
    const body = png.subarray(at + 8, at + 8 + length)
    if (type === 'IHDR') [width, height] = [body.readUInt32BE(0), body.readUInt32BE(4)]
    if (type === 'IDAT') parts.push(body)
    at += length + 12
  }
  return { width, height, data: Buffer.concat(parts) }
}

/** PNG §9.2: each byte was written as its difference to its neighbours. */
function unfiltered(filter: number, line: Uint8Array, above: Uint8Array): Uint8Array {
  const result = new Uint8Array(line.length)
  line.forEach((byte, index) => {
    const left = result[index - BYTES_PER_PIXEL] ?? 0
    const up = above[index] ?? 0
    const corner = index < BYTES_PER_PIXEL ? 0 : (above[index - BYTES_PER_PIXEL] ?? 0)
    const guesses = [0, left, up, (left + up) >> 1, paeth(left, up, corner)]
    result[index] = byte + (guesses[filter] ?? 0)
  })
  return result
}

function paeth(left: number, up: number, corner: number): number {
  const [toLeft, toUp, toCorner] = [left, up, corner].map(one => Math.abs(left + up - corner - one)) as [
    number,
    number,
    number,
  ]
  if (toLeft <= toUp && toLeft <= toCorner) return left
  return toUp <= toCorner ? up : corner
}
