/** What framing costs: µs of CPU per stanza, in process. `node test/bench/framer.ts` */

import { Buffer } from 'node:buffer'
import { Framer, type FramerEvent } from '../../server/xmpp/framer.ts'

const HEADER = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
const ROUNDS = 12
const CHUNKS = 500

const SAMPLES: Readonly<Record<string, string>> = {
  'message, 100 letters': `<message to='juliet@office.test/balcony' id='ID' type='chat'><body>${'x'.repeat(100)}</body></message>`,
  'message, 100 Cyrillic letters': `<message to='juliet@office.test/balcony' id='ID' type='chat'><body>${'ж'.repeat(100)}</body></message>`,
  'message, 5 children': `<message to='juliet@office.test' id='ID' type='chat'><body>But soft, what light through yonder window breaks?</body><active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/><markable xmlns='urn:xmpp:chat-markers:0'/><origin-id xmlns='urn:xmpp:sid:0' id='abcdefgh-1234-1234-1234-abcdefghijkl'/></message>`,
  'message, OMEMO': `<message to='juliet@office.test' id='ID' type='chat'><encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1234567'><key rid='111'>${'A'.repeat(300)}</key><key rid='222' prekey='true'>${'B'.repeat(300)}</key><iv>AAAAAAAAAAAAAAAA</iv></header><payload>${'C'.repeat(500)}</payload></encrypted><encryption xmlns='urn:xmpp:eme:0' namespace='eu.siacs.conversations.axolotl' name='OMEMO'/><body>${'I sent you an OMEMO message. '.repeat(6)}</body><store xmlns='urn:xmpp:hints'/></message>`,
}

/** CPU per stanza in µs, the best round; `use` is what the receiver does with it. */
function measure(sample: string, perChunk: number, use: (event: FramerEvent) => number): number {
  const chunks = Array.from({ length: CHUNKS }, (_, index) =>
    Buffer.from(sample.replace('ID', `id-${index}-abc`).repeat(perChunk)),
  )
  const framer = new Framer({ mode: 'stream' })
  framer.push(Buffer.from(HEADER), () => undefined)
  let best = Number.POSITIVE_INFINITY
  let sum = 0
  for (let round = 0; round < ROUNDS; round++) {
    let count = 0
    const start = process.cpuUsage()
    for (let repeat = 0; repeat < 40 / perChunk; repeat++) {
      for (const chunk of chunks) {
        framer.push(chunk, event => {
          count++
          sum += use(event)
        })
      }
    }
    const { user, system } = process.cpuUsage(start)
    best = Math.min(best, (user + system) / count)
  }
  return sum === 0 ? Number.NaN : best
}

const frame = (event: FramerEvent) => (event.type === 'stanza' ? event.stanza.bytes.length : 0)
const stamp = (event: FramerEvent) =>
  event.type === 'stanza' ? event.stanza.with({ from: 'romeo@office.test/orchard' }).bytes.length : 0

for (const [name, sample] of Object.entries(SAMPLES)) {
  for (const perChunk of [1, 20]) {
    const cost = `${measure(sample, perChunk, frame).toFixed(2)} µs, with from ${measure(sample, perChunk, stamp).toFixed(2)} µs`
    console.log(`${name} (${Buffer.byteLength(sample)} bytes, ${perChunk} a chunk): ${cost}`)
  }
}
