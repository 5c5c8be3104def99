/** Reads single files out of a small zip file (a jar), for which no program is there on every system. */
import { readFile } from 'node:fs/promises'
import { inflateRawSync } from 'node:zlib'

const endMark = 0x06054b50
const entryMark = 0x02014b50
const endBytes = 22
const entryBytes = 46
const localBytes = 30

/** The files whose names match, by name. @throws Error when it is not a zip file */
export async function readZip(file: string, isWanted: (name: string) => boolean): Promise<Map<string, Buffer>> {
  const zip = await readFile(file)
  let end = zip.length - endBytes
  while (end >= 0 && zip.readUInt32LE(end) !== endMark) end--
  if (end < 0) throw new Error(`${file} is not a zip file.`)
  const found = new Map<string, Buffer>()
  let at = zip.readUInt32LE(end + 16)
  for (let count = zip.readUInt16LE(end + 10); count > 0; count--) {
    if (zip.readUInt32LE(at) !== entryMark) throw new Error(`${file} is damaged.`)
    const nameBytes = zip.readUInt16LE(at + 28)
    const name = zip.toString('utf8', at + entryBytes, at + entryBytes + nameBytes)
    if (isWanted(name)) found.set(name, contentOf(zip, at))
    at += entryBytes + nameBytes + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32)
  }
  return found
}

function contentOf(zip: Buffer, entry: number): Buffer {
  const isDeflated = zip.readUInt16LE(entry + 10) !== 0
  const packedBytes = zip.readUInt32LE(entry + 20)
  const local = zip.readUInt32LE(entry + 42)
  const from = local + localBytes + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
  const packed = zip.subarray(from, from + packedBytes)
  return isDeflated ? inflateRawSync(packed) : packed
}
