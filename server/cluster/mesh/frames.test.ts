import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Frame, FrameReader, kind, plainFrame, writeNumbered } from './frames.ts'
import { readHello } from './hello.ts'

const frames = fc.array(
  fc.record({
    kind: fc.oneof(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 8, max: 63 })),
    number: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
    payload: fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes)),
  }),
  { maxLength: 20 },
)

function write(frame: Frame): Buffer {
  if (frame.kind < kind.call) return plainFrame(frame.kind, frame.payload)
  const bytes = Buffer.alloc(11 + frame.payload.length)
  const half = frame.payload.length >> 1
  const pieces = [frame.payload.subarray(0, half), frame.payload.subarray(half)]
  expect(writeNumbered(bytes, 0, frame.kind, frame.number, frame.payload.length, pieces)).toBe(bytes.length)
  return bytes
}

/** Feeds bytes in chunks of these sizes, again and again, and collects until a fault. */
function feed(
  reader: FrameReader,
  bytes: Buffer,
  sizes: readonly number[],
): { frames: Frame[]; fault: string | undefined } {
  const found: Frame[] = []
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    reader.push(bytes.subarray(at, at + size))
    at += size
    for (let next = reader.next(); next; next = reader.next()) {
      if ('fault' in next) return { frames: found, fault: next.fault }
      found.push(next)
    }
  }
  return { frames: found, fault: undefined }
}

const sizes = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 10 })

describe('frames', () => {
  test('are read as they were written, however they are cut', () => {
    fc.assert(
      fc.property(frames, sizes, fc.uint8Array({ maxLength: 9 }), (given, cuts, tail) => {
        const reader = new FrameReader(300)
        const bytes = Buffer.concat(given.map(write))
        const read = feed(reader, bytes, cuts)
        expect(read.fault).toBeUndefined()
        const expected = given.map(frame => (frame.kind < kind.call ? { ...frame, number: 0 } : frame))
        expect(read.frames.map(frame => ({ ...frame, payload: Buffer.from(frame.payload) }))).toEqual(expected)
        reader.push(Buffer.from(tail))
        expect(reader.rest()).toEqual(Buffer.from(tail))
      }),
      { numRuns: 200 },
    )
  })

  test('of hostile bytes never throw, and nothing is read behind a fault', () => {
    const hostile = fc.oneof(
      fc.uint8Array({ maxLength: 2_000 }),
      fc.tuple(frames, fc.nat(), fc.integer({ min: 0, max: 255 })).map(([given, where, value]) => {
        const bytes = Buffer.concat(given.map(write))
        if (bytes.length > 0) bytes[where % bytes.length] = value
        return new Uint8Array(bytes)
      }),
    )
    fc.assert(
      fc.property(hostile, sizes, (bytes, cuts) => {
        const reader = new FrameReader(300)
        const read = feed(reader, Buffer.from(bytes), cuts)
        for (const frame of read.frames) expect(frame.payload.length).toBeLessThanOrEqual(306)
        if (read.fault === undefined) return
        reader.push(plainFrame(kind.ping))
        expect(reader.next()).toEqual({ fault: read.fault })
      }),
      { numRuns: 500 },
    )
  })

  test('longer than is allowed are a fault before they are there', () => {
    const reader = new FrameReader(1_000)
    reader.push(Buffer.from([0x7f, 0xff, 0xff, 0xff]))
    expect(reader.next()).toEqual({ fault: 'a frame of 2147483647 bytes is longer than is allowed' })
  })
})

describe('a hello', () => {
  const said = {
    protocol: { major: 1, minor: 7 },
    purpose: 'link',
    version: '9.9.9',
    hazelcast: '5.9',
    name: 'pc-2',
    number: 2,
    epoch: 1,
    life: 'x',
    port: 5275,
    channel: 'c',
    received: 0,
    over: 0,
  }

  test('of a neighbouring version is understood, with everything in it that is not known', () => {
    const hello = readHello(Buffer.from(JSON.stringify({ ...said, moods: ['sunny'] })))
    expect(hello).toMatchObject({ number: 2, purpose: 'link', knows: undefined })
  })

  test('of another major says which PC must be updated', () => {
    const other = (major: number) =>
      readHello(Buffer.from(JSON.stringify({ protocol: { major, minor: 0 }, version: '9.9.9' })))
    expect(other(2)).toBe('its Lanthorn 9.9.9 is too new for this one: update this PC')
    expect(other(0)).toBe('its Lanthorn 9.9.9 is too old for this one: update that PC')
  })

  test('that is anything else is a sentence, never an exception', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          fc.string(),
          fc
            .record({ protocol: fc.constant(said.protocol), purpose: fc.constant('link'), number: fc.anything() })
            .map(value => String(JSON.stringify(value))),
        ),
        text => {
          expect(typeof readHello(Buffer.from(text))).toBe('string')
        },
      ),
      { numRuns: 300 },
    )
    for (const field of ['number', 'epoch', 'received', 'over', 'life', 'channel'])
      expect(readHello(Buffer.from(JSON.stringify({ ...said, [field]: -1 })))).toBe('its first words are not complete')
  })
})
