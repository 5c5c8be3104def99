import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { describe, expect, test } from 'vitest'
import { openDoor } from '../../../test/support/door.ts'
import { authority, known, open, pair, papers, quick, reached, states } from '../../../test/support/mesh.ts'
import { frameKinds, type Outcome } from '../mesh.ts'

const turn = () => new Promise<void>(resolve => setImmediate(resolve))

describe('frames', () => {
  test('arrive once and in order, and every handler’s answer before the word that it has run, though connections are cut', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    console.log(`seed ${seed}`)
    let state = seed
    const random = () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
      return state / 0x7fffffff
    }
    await using office = await pair({ timings: { ...quick, suspectMs: 5_000, goneMs: 20_000, frozenMs: 15_000 } })
    const { one, two, door } = office
    const count = 20_000
    const seen: number[] = []
    const echoes = new Set<number>()
    let early = 0
    let done = 0
    let lost = 0
    const finished = Promise.withResolvers<void>()
    two.onFrame(frameKinds.deliver, (payload, from) => {
      seen.push(payload.readUInt32BE())
      two.send(from.node.name, frameKinds.rows, Buffer.from(payload.subarray(0, 4)))
    })
    one.onFrame(frameKinds.rows, payload => void echoes.add(payload.readUInt32BE()))
    const story = states(one, 'pc-2')
    let nextCut = 200
    for (let n = 0; n < count; ) {
      const head = Buffer.alloc(4)
      head.writeUInt32BE(n)
      const sent = one.send('pc-2', frameKinds.deliver, [head, randomBytes(n % 300)], outcome => {
        if (outcome === 'lost') lost++
        else if (!echoes.has(head.readUInt32BE())) early++
        if (++done === count) finished.resolve()
      })
      if (sent === 'gone') throw new Error(`the peer is ${one.peer('pc-2')?.state}`)
      if (sent === 'full') {
        await turn()
        continue
      }
      n++
      if (n % 50 === 0) await turn()
      if (n < nextCut) continue
      nextCut = n + Math.floor(random() * 2_000)
      await door.shut()
      await door.open()
    }
    await finished.promise
    expect(seen).toEqual(Array.from({ length: count }, (_, n) => n))
    expect({ lost, early }).toEqual({ lost: 0, early: 0 })
    expect(echoes.size).toBe(count)
    expect(story.length).toBeGreaterThan(4)
    expect(story).not.toContain('gone')
  })

  test('are bounded: a peer that takes nothing gets no more, and what was queued is lost with it', async () => {
    await using office = await pair({ limits: { waitingBytes: 100_000 } })
    const { one, two, door } = office
    const story = states(one, 'pc-2')
    const far = states(two, 'pc-1')
    door.freeze()
    const outcomes: Outcome[] = []
    const atLoss: string[] = []
    let queued = 0
    const piece = Buffer.alloc(10_000)
    const settled = (outcome: Outcome) => {
      outcomes.push(outcome)
      atLoss.push(one.send('pc-2', frameKinds.deliver, piece))
    }
    while (one.send('pc-2', frameKinds.deliver, piece, settled) === 'queued') queued++
    expect(queued).toBe(10)
    // Words about what was delivered still go, as many again.
    for (let more = 0; more < 10; more++) expect(one.send('pc-2', frameKinds.tell, piece)).toBe('queued')
    expect(one.send('pc-2', frameKinds.tell, piece)).toBe('full')
    expect(outcomes).toEqual([])
    await reached(one, 'pc-2', 'suspected')
    // It may be the way only that was cut: what speaks for its end is found enough after a while.
    one.reportAbsent(2)
    expect(one.peer('pc-2')?.state).toBe('suspected')
    await reached(one, 'pc-2', 'gone')
    expect(outcomes).toEqual(Array.from({ length: 10 }, () => 'lost'))
    expect(new Set(atLoss)).toEqual(new Set(['gone']))
    await reached(two, 'pc-1', 'gone')
    await door.open()
    await Promise.all([reached(one, 'pc-2', 'up'), reached(two, 'pc-1', 'up')])
    expect(story).toEqual(['suspected', 'gone', 'up'])
    expect(far).toEqual(['suspected', 'gone', 'up'])
    const answer = Promise.withResolvers<string>()
    two.onFrame(frameKinds.tell, payload => answer.resolve(payload.toString()))
    expect(one.send('pc-2', frameKinds.tell, Buffer.from('again'))).toBe('queued')
    expect(await answer.promise).toBe('again')
  })

  test('are decided again at once when Hazelcast has dropped a peer where nothing listens any more', async () => {
    await using office = await pair({ timings: { ...quick, suspectMs: 10_000, goneMs: 20_000, frozenMs: 15_000 } })
    const { one, door } = office
    const story = states(one, 'pc-2')
    const outcome = Promise.withResolvers<Outcome>()
    door.freeze()
    expect(one.send('pc-2', frameKinds.deliver, Buffer.from('to a dead process'), outcome.resolve)).toBe('queued')
    await door.shut()
    await reached(one, 'pc-2', 'suspected')
    one.reportAbsent(2)
    expect(await outcome.promise).toBe('lost')
    expect(story).toEqual(['suspected', 'gone'])
  })

  test('survive a silence that is only suspicious', async () => {
    await using office = await pair({ timings: { ...quick, goneMs: 20_000 } })
    const { one, two, door } = office
    const story = states(one, 'pc-2')
    const got = Promise.withResolvers<string>()
    two.onFrame(frameKinds.tell, payload => got.resolve(payload.toString()))
    door.freeze()
    const outcome = Promise.withResolvers<Outcome>()
    one.send('pc-2', frameKinds.tell, Buffer.from('late'), outcome.resolve)
    await reached(one, 'pc-2', 'suspected')
    await door.open()
    expect(await got.promise).toBe('late')
    expect(await outcome.promise).toBe('done')
    await reached(one, 'pc-2', 'up')
    expect(story).not.toContain('gone')
  })
})

describe('nodes', () => {
  test('that dial each other at the same moment have one link, and no more than one change of state', async () => {
    const office = await authority()
    const [a, b] = await Promise.all([papers(office, 1), papers(office, 2)])
    for (let round = 0; round < 20; round++) {
      const [one, two] = await Promise.all([open(a, office), open(b, office)])
      const stories = [states(one, 'pc-2'), states(two, 'pc-1')]
      one.setNodes([known(a, one.port), known(b, two.port)])
      two.setNodes([known(a, one.port), known(b, two.port)])
      await Promise.all([reached(one, 'pc-2', 'up'), reached(two, 'pc-1', 'up')])
      two.onCall('echo', body => body)
      expect(await one.call('pc-2', 'echo', round, { timeoutMs: 5_000 })).toBe(round)
      expect(stories).toEqual([['up'], ['up']])
      await Promise.all([one.close(), two.close()])
    }
  })

  test('are reached by whichever address works, though others refuse, are silent or belong to somebody else', async () => {
    const office = await authority()
    const [a, b, c] = await Promise.all([papers(office, 1), papers(office, 2), papers(office, 3)])
    const [one, two, three] = await Promise.all([open(a, office), open(b, office), open(c, office)])
    const door = await openDoor({ port: two.port })
    door.freeze()
    const addresses = [
      '127.0.0.1:1',
      `127.0.0.1:${door.port}`,
      'nowhere',
      `127.0.0.1:${three.port}`,
      `127.0.0.1:${two.port}`,
    ]
    two.setNodes([known(a)])
    three.setNodes([known(a)])
    one.setNodes([{ ...known(b), addresses: addresses.slice(0, 4) }, known(c)])
    await expect.poll(() => one.peer('pc-2')?.trouble).toContain('127.0.0.1:1 refuses the connection')
    one.setNodes([{ ...known(b), addresses }, known(c)])
    const peer = await reached(one, 'pc-2', 'up')
    expect(peer).toMatchObject({ address: addresses[4], trouble: undefined, epoch: 1, version: '1.0.0' })
    await Promise.all([one.close(), two.close(), three.close(), door.close()])
  })

  test('do not let a copy of a data folder take the place of the node that is linked', async () => {
    await using office = await pair()
    const { one, two, papers, office: ca } = office
    const story = [...[states(one, 'pc-2'), states(two, 'pc-1')]]
    const listen = { host: '127.0.0.11', port: 0 }
    const copy = await open(papers[0], ca, {
      listen,
      nodes: [{ ...known(papers[1]), addresses: [`127.0.0.12:${two.port}`] }],
    })
    await expect.poll(() => copy.peer('pc-2')?.trouble).toContain('a second Lanthorn says that it is pc-1')
    expect(story).toEqual([[], []])
    await copy.close()
  })

  test('say goodbye: what was sent before arrives, and the others see it at once', async () => {
    await using office = await pair()
    const { one, two } = office
    const order: string[] = []
    const left = reached(one, 'pc-2', 'away')
    one.onFrame(frameKinds.tell, payload => void order.push(payload.toString()))
    one.onPeer(peer => void order.push(peer.state))
    const outcomes: Outcome[] = []
    two.send('pc-1', frameKinds.tell, Buffer.alloc(400_000, 'x'), outcome => outcomes.push(outcome))
    two.send('pc-1', frameKinds.tell, Buffer.from('last words'), outcome => outcomes.push(outcome))
    await two.close()
    await left
    expect(order.slice(1)).toEqual(['last words', 'away'])
    expect(outcomes).toEqual(['lost', 'lost'])
    expect(one.peer('pc-2')?.trouble).toBe('Lanthorn on pc-2 was stopped.')
  })

  test('that were started again are another life: what waited for the former is lost first', async () => {
    await using office = await pair()
    const { one, two, door, papers, office: ca } = office
    const story: string[] = []
    one.onPeer((peer, before) => void story.push(`${before} ${peer.state} ${peer.epoch}`))
    await door.shut()
    await reached(one, 'pc-2', 'suspected')
    one.send('pc-2', frameKinds.tell, Buffer.from('x'), outcome => void story.push(outcome))
    const listen = { host: '127.0.0.12', port: two.port }
    await two.close()
    const again = await open(papers[1], ca, { listen, epoch: 2, nodes: [known(papers[0])] })
    again.onStream('database', stream => stream.pipe(stream))
    await door.open()
    // Faster than the link, or slower: it belongs to the new life, and stays.
    const stream = await one.openStream('pc-2', 'database')
    await reached(one, 'pc-2', 'up')
    expect(story).toEqual(['up suspected 1', 'lost', 'suspected gone 1', 'gone up 2'])
    stream.write('still there')
    expect(String((await once(stream, 'data'))[0])).toBe('still there')
    await again.close()
  })

  test('that are removed lose their links at once, and are told why they cannot come back', async () => {
    await using office = await pair()
    const { one, two } = office
    const stream = two.onStream('database', socket => socket.pipe(socket))
    const open = await one.openStream('pc-2', 'database')
    const ended = new Promise(resolve => open.once('close', resolve))
    const peer = two.peer('pc-1')
    const outcomes: Outcome[] = []
    two.send('pc-1', frameKinds.tell, Buffer.from('x'), outcome => outcomes.push(outcome))
    two.setNodes([])
    expect(peer?.state).toBe('away')
    expect(outcomes).toEqual(['lost'])
    expect(two.peers).toEqual([])
    expect(two.send('pc-1', frameKinds.tell, Buffer.from('x'))).toBe('gone')
    await ended
    await reached(one, 'pc-2', 'gone')
    await expect.poll(() => one.peer('pc-2')?.trouble).toContain('it is not one of the PCs of this office')
    stream()
  })
})

describe('calls', () => {
  test('are answered, refused with the words of the other side, unknown, late, or nobody is there', async () => {
    await using office = await pair({ limits: { callsServed: 3 } })
    const { one, two, door } = office
    two.onCall('add', body => ({ sum: (body as number[]).reduce((a, b) => a + b, 0) }))
    two.onCall('refuse', () => {
      throw new Error('The room is full.')
    })
    const never = two.onCall('never', () => new Promise(() => undefined))
    const fault = (call: Promise<unknown>) =>
      call.then(
        () => 'answered',
        error => [error.reason, error.message],
      )
    expect(await one.call('pc-2', 'add', [1, 2], { timeoutMs: 5_000 })).toEqual({ sum: 3 })
    expect(await fault(one.call('pc-2', 'refuse', 1, { timeoutMs: 5_000 }))).toEqual(['refused', 'The room is full.'])
    expect((await fault(one.call('pc-2', 'new', 1, { timeoutMs: 5_000 })))[0]).toBe('unknown')
    expect((await fault(one.call('pc-9', 'add', 1, { timeoutMs: 5_000 })))[0]).toBe('away')
    const waiting = Array.from({ length: 3 }, () => fault(one.call('pc-2', 'never', 1, { timeoutMs: 100 })))
    expect((await fault(one.call('pc-2', 'never', 1, { timeoutMs: 5_000 })))[0]).toBe('refused')
    expect((await Promise.all(waiting)).map(([reason]) => reason)).toEqual(['late', 'late', 'late'])
    never()
    door.freeze()
    const cut = fault(one.call('pc-2', 'add', [1], { timeoutMs: 20_000 }))
    await reached(one, 'pc-2', 'gone')
    expect((await cut)[0]).toBe('away')
    await door.open()
  })
})

describe('streams', () => {
  test('carry 50 MB unchanged and are half-closed one after the other; a node that cannot be dialled is asked to dial', async () => {
    const office = await authority()
    const [a, b] = await Promise.all([papers(office, 1), papers(office, 2)])
    const one = await open(a, office, { listen: { host: '127.0.0.11', port: 0 } })
    const two = await open(b, office)
    one.setNodes([known(b, two.port)])
    two.setNodes([known(a)])
    await Promise.all([reached(one, 'pc-2', 'up'), reached(two, 'pc-1', 'up')])
    const bytes = randomBytes(1_048_576)
    const sum = createHash('sha256')
    for (let n = 0; n < 50; n++) sum.update(bytes)
    const expected = sum.digest('hex')
    const there = Promise.withResolvers<string>()
    two.onStream('hazelcast', async stream => {
      const hash = createHash('sha256')
      for await (const chunk of stream) hash.update(chunk)
      there.resolve(hash.digest('hex'))
      stream.end('thank you')
    })
    one.onStream('database', stream => void pipeline(stream, stream))
    const stream = await one.openStream('pc-2', 'hazelcast')
    await pipeline(
      async function* () {
        for (let n = 0; n < 50; n++) yield bytes
      },
      stream,
      { end: true },
    )
    expect(await there.promise).toBe(expected)
    expect((await buffer(stream)).toString()).toBe('thank you')
    const back = await two.openStream('pc-1', 'database')
    back.end('turned')
    expect((await buffer(back)).toString()).toBe('turned')
    await expect(one.openStream('pc-2', 'database')).rejects.toMatchObject({ reason: 'refused' })
    await Promise.all([one.close(), two.close()])
  })
})
