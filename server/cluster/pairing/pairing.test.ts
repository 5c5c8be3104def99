import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import tls from 'node:tls'
import pino from 'pino'
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { type CertifiedKey, createAuthority, issue, issueFor } from '../../net/ca.ts'
import { type Applicant, JoinFault, type Welcome } from '../welcome.ts'
import { askAbout, type Dialled, dial } from './dial.ts'
import { Frames } from './frames.ts'
import { type Admission, JoinHost, type JoinHostOptions } from './host.ts'
import { readJoinCode } from './join-code.ts'
import { type JoinOptions, joinOffice } from './joiner.ts'
import { type AboutHere, Hello, Host, Reveal, Waiting } from './messages.ts'
import { keyHashOf, officeIdOf } from './office-id.ts'
import { commitmentOf, newNonce } from './proofs.ts'
import { joinProtocol } from './versions.ts'

const token = 'a token of the autosetup file, long enough'
const office: AboutHere = {
  kind: 'office',
  office: 'ACME',
  domain: 'acme.example',
  node: 'FRONT-DESK',
  nodeId: 'front',
  people: 12,
  version: '0.4.0',
  hazelcast: '5.7',
}

let authority: CertifiedKey
let stranger: CertifiedKey
let identity: CertifiedKey
const applicantKeys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const ends: (() => unknown)[] = []
let time = Date.now()

beforeAll(async () => {
  authority = await createAuthority('ACME')
  stranger = await createAuthority('ACME')
  identity = await issue(authority, { name: 'front', dnsNames: ['front.node.invalid'], addresses: [] })
})
beforeEach(() => {
  time = Date.now()
})
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

const applicant = (changes: Partial<Applicant> = {}): Applicant => ({
  id: 'back',
  name: 'back-office',
  system: 'Debian 12',
  version: '0.4.1',
  hazelcast: '5.7',
  publicKey: applicantKeys.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  addresses: ['127.0.0.1:5276'],
  ...changes,
})

async function welcomeFor(one: Applicant, by: CertifiedKey = authority): Promise<Welcome> {
  return {
    office: 'ACME',
    officeId: officeIdOf(by.certificate),
    domain: 'acme.example',
    authority: by,
    number: 2,
    name: one.name,
    certificate: await issueFor(by, { name: one.id, dnsNames: [], addresses: [] }, one.publicKey),
    nodes: [{ number: 2, id: one.id, name: one.name, key: keyHashOf(one.publicKey), addresses: [] }],
    database: { generation: 1, kind: 'embedded', node: 1 },
    // Bigger than a message before the proof may be.
    secrets: {
      'cluster-secret': randomBytes(3_000).toString('hex'),
      more: 'x'.repeat(8_000),
      again: 'y'.repeat(8_000),
    },
  }
}

interface There {
  readonly host: JoinHost
  readonly address: string
  readonly admitted: (Applicant & Admission)[]
  readonly withdrawn: Welcome[]
}

async function openHost(changes: Partial<JoinHostOptions> & { identity?: CertifiedKey } = {}): Promise<There> {
  const admitted: There['admitted'] = []
  const withdrawn: Welcome[] = []
  const host = new JoinHost({
    authority: authority.certificate,
    about: () => office,
    admit: async (one, admission) => {
      admitted.push({ ...one, ...admission })
      return welcomeFor(one)
    },
    withdraw: welcome => withdrawn.push(welcome),
    token,
    log: pino({ level: 'silent' }),
    now: () => time,
    answerMs: 10_000,
    ...changes,
  })
  const { certificate, key } = changes.identity ?? identity
  const server = tls.createServer({ cert: certificate, key, minVersion: 'TLSv1.3', ALPNProtocols: ['lanthorn-join'] })
  server.on('secureConnection', socket => host.take(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(
    () => host.close(),
    () => new Promise(resolve => server.close(resolve)),
  )
  return { host, address: `127.0.0.1:${(server.address() as AddressInfo).port}`, admitted, withdrawn }
}

/** Joins by comparing; gives the code when it is shown. */
function begin(address: string, changes: Partial<JoinOptions> = {}) {
  const shown = Promise.withResolvers<string>()
  const joined = joinOffice({
    address,
    way: { kind: 'compare' },
    applicant: applicant(),
    onCode: code => shown.resolve(code),
    ...changes,
  })
  joined.catch((error: unknown) => shown.reject(error))
  shown.promise.catch(() => undefined)
  return { shown: shown.promise, joined }
}

const reasonOf = async (joining: Promise<unknown>): Promise<string> =>
  joining.then(
    () => 'joined',
    (error: unknown) => (error instanceof JoinFault ? `${error.reason}: ${error.message}` : Promise.reject(error)),
  )

/** Waits for a change of the host that makes `isSo` true. */
async function until(host: JoinHost, isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise<void>(resolve => ends.push(host.onChange(resolve)))
}

describe('Two screens', () => {
  test('show the same code, and the PC is in when somebody there accepts', async () => {
    const { host, address, admitted } = await openHost()
    const seen: unknown[] = []
    const { shown, joined } = begin(address, { onHost: one => seen.push(one) })
    const code = await shown
    expect(code).toMatch(/^\d{4} · [a-z]+ [a-z]+$/)
    expect(host.requests).toMatchObject([{ name: 'back-office', address: '127.0.0.1', system: 'Debian 12', code }])
    expect(host.requests[0]?.trouble).toBeUndefined()
    expect(seen).toMatchObject([{ office: 'ACME', node: 'FRONT-DESK', officeId: officeIdOf(authority.certificate) }])
    const [, welcome] = await Promise.all([host.accept(host.requests[0]?.id ?? '', 'anna'), joined])
    expect(welcome.nodes[0]?.key).toBe(keyHashOf(applicant().publicKey))
    expect(admitted).toMatchObject([{ id: 'back', way: 'compare', by: 'anna', address: '127.0.0.1' }])
    await until(host, () => host.requests.length === 0)
  })

  test('learn at once that it was refused, given up, or waited too long', async () => {
    const { host, address } = await openHost()
    const refused = begin(address)
    await refused.shown
    host.refuse(host.requests[0]?.id ?? '')
    expect(await reasonOf(refused.joined)).toBe('refused: Somebody at FRONT-DESK refused this PC.')

    const window = new AbortController()
    const closed = begin(address, { signal: window.signal })
    await closed.shown
    const id = host.requests[0]?.id ?? ''
    window.abort()
    expect(await reasonOf(closed.joined)).toContain('ended')
    await until(host, () => host.requests.length === 0)
    expect(await reasonOf(host.accept(id, 'anna'))).toContain('given up')

    const late = begin(address)
    await late.shown
    time += 10 * 60_000 - 1
    host.sweep()
    expect(host.requests).toHaveLength(1)
    time += 1
    host.sweep()
    expect(await reasonOf(late.joined)).toContain('expired: Nobody at FRONT-DESK answered within ten minutes')
    expect(host.requests).toHaveLength(0)
  })

  test('show different codes when somebody stands between, who cannot choose them', async () => {
    const { host, address } = await openHost()
    const codes: string[] = []
    let tries = 0
    // It answers the joiner with its own office, and asks the real one as if it were the joiner, as soon as it can.
    const own = await issue(stranger, { name: 'front', dnsNames: [], addresses: [] })
    const between = tls.createServer({ cert: own.certificate, key: own.key, ALPNProtocols: ['lanthorn-join'] })
    between.on('secureConnection', async socket => {
      const left = new Frames(socket, 'left')
      left.onEnd(() => undefined)
      await left.next(Hello, 10_000)
      const { frames: right } = await dial(address)
      ends.push(
        () => left.close(),
        () => right.close(),
      )
      const nonce = newNonce()
      // To the real office it must commit before it knows what the joiner will reveal …
      const said = JSON.stringify(applicant({ id: `between-${tries}` }))
      right.send({
        type: 'hello',
        protocol: joinProtocol,
        version: '0.4.0',
        way: 'compare',
        commitment: commitmentOf(nonce, said),
      })
      const real = await right.next(Host, 10_000)
      // … and to the joiner it must show a nonce before that: the best it has is the real one.
      left.send({ ...real, authority: stranger.certificate } as never)
      const reveal = await left.next(Reveal, 10_000)
      right.send({ type: 'reveal', nonce, applicant: said })
      left.send((await right.next(Waiting, 10_000)) as never)
      expect(reveal.nonce).not.toBe(nonce)
    })
    between.listen(0, '127.0.0.1')
    await once(between, 'listening')
    ends.push(() => new Promise(resolve => between.close(resolve)))
    const there = `127.0.0.1:${(between.address() as AddressInfo).port}`
    for (; tries < 6; tries++) {
      const { shown, joined } = begin(there)
      joined.catch(() => undefined)
      const code = await shown
      codes.push(code)
      expect(host.requests.map(one => one.code)).not.toContain(code)
      await until(host, () => host.requests.length === tries + 1)
    }
    const all = [...codes, ...host.requests.map(one => one.code)]
    expect(new Set(all).size).toBe(all.length)
  })

  test('a PC that reveals something else than it promised is not shown', async () => {
    const { host, address } = await openHost()
    for (let tries = 0; tries < 5; tries++) {
      const { frames } = await dial(address)
      const said = JSON.stringify(applicant())
      const commitment = commitmentOf(newNonce(), said)
      frames.send({ type: 'hello', protocol: joinProtocol, version: '0.4.0', way: 'compare', commitment })
      await frames.next(Host, 10_000)
      frames.send({ type: 'reveal', nonce: newNonce(), applicant: said })
      expect(await reasonOf(frames.next(Waiting, 10_000))).toContain('refused')
      // Whoever knows the other's nonce by now cannot look for a better one of its own.
      const fitting = Array.from({ length: 1_000 }, newNonce).filter(one => commitmentOf(one, said) === commitment)
      expect(fitting).toEqual([])
    }
    expect(host.requests).toHaveLength(0)
  })

  test('what a person here does not confirm is not joined, whatever the other side says', async () => {
    const { host, address, withdrawn } = await openHost()
    const confirm = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    const { joined } = begin(address, {
      onCode() {
        asked.resolve()
        return confirm.promise
      },
    })
    await asked.promise
    const accepted = reasonOf(host.accept(host.requests[0]?.id ?? '', 'anna'))
    confirm.reject(new JoinFault('refused', 'The codes are not the same.'))
    expect(await reasonOf(joined)).toContain('The codes are not the same')
    expect(await accepted).toContain('The codes are not the same')
    await vi.waitFor(() => expect(withdrawn).toHaveLength(1), 10_000)
  })

  test('certificates that do not fit together are not taken', async () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' })
    const wrong: ((right: Welcome) => Promise<Partial<Welcome>> | Partial<Welcome>)[] = [
      async () => welcomeFor(applicant(), stranger),
      async () => ({ certificate: (await welcomeFor(applicant({ publicKey: other.toString() }))).certificate }),
      right => ({ authority: { ...right.authority, key: stranger.key } }),
      right => ({ nodes: right.nodes.map(node => ({ ...node, key: 'a'.repeat(64) })) }),
    ]
    let next = 0
    const { address, withdrawn } = await openHost({
      admit: async one => {
        const right = await welcomeFor(one)
        return { ...right, ...(await wrong[next]?.(right)) }
      },
    })
    for (; next < wrong.length; next++) {
      expect(await reasonOf(begin(address, { way: { kind: 'token', token } }).joined)).toContain('do not fit together')
    }
    await vi.waitFor(() => expect(withdrawn).toHaveLength(wrong.length), 10_000)
  })
})

describe('A join code', () => {
  test('lets one PC in, once', async () => {
    const { host, address, admitted } = await openHost()
    const { code } = host.makeCode('anna', ['127.0.0.1:1', address])
    expect(host.codes).toMatchObject([{ by: 'anna' }])
    const way = { kind: 'code', code: readJoinCode(code) } as const
    const welcome = await joinOffice({ way, applicant: applicant() })
    expect(welcome.domain).toBe('acme.example')
    expect(admitted).toMatchObject([{ way: 'code', by: 'anna' }])
    await until(host, () => host.codes.length === 0)
    expect(await reasonOf(joinOffice({ way, applicant: applicant() }))).toContain(
      'wrong-code: FRONT-DESK does not know',
    )
  })

  test('ends after 15 minutes, when taken back, and after five wrong tries', async () => {
    const { host, address } = await openHost()
    const join = (code: string, changes = {}) =>
      reasonOf(
        joinOffice({ way: { kind: 'code', code: { ...readJoinCode(code), ...changes } }, applicant: applicant() }),
      )
    const old = host.makeCode('anna', [address])
    time += 15 * 60_000
    expect(await join(old.code)).toContain('older than 15 minutes')
    expect(host.codes).toHaveLength(0)

    const { id } = host.makeCode('anna', [address])
    expect(host.dropCode(id)).toBe(true)
    expect(host.dropCode(id)).toBe(false)

    const other = host.makeCode('anna', [address])
    expect(await join(other.code, { officeId: 'ab'.repeat(16) })).toContain('wrong-office')
    for (let tries = 0; tries < 5; tries++) {
      const { frames } = await dial(address)
      frames.send({ type: 'hello', protocol: joinProtocol, version: '0.4.0', way: 'code', code: other.id })
      await frames.next(Host, 10_000)
      const proof = newNonce()
      frames.send({ type: 'proof', proof, applicant: JSON.stringify(applicant()) })
      expect(await reasonOf(frames.next(Host, 10_000))).toContain('wrong-code')
    }
    expect(await join(other.code)).toContain('wrong-code')
  })

  test('of an office is not given away to another one that answers at its address', async () => {
    const { host } = await openHost()
    const own = await issue(stranger, { name: 'front', dnsNames: [], addresses: [] })
    const false_ = await openHost({ identity: own, authority: stranger.certificate })
    const real = readJoinCode(host.makeCode('anna', [false_.address]).code)
    expect(await reasonOf(joinOffice({ way: { kind: 'code', code: real }, applicant: applicant() }))).toContain(
      'wrong-office',
    )
    // One that shows the real authority's certificate but has none of its own.
    const liar = await openHost({ identity: own })
    const way = { kind: 'code', code: { ...real, addresses: [liar.address] } } as const
    expect(await reasonOf(joinOffice({ way, applicant: applicant() }))).toContain('is not what it says it is')
  })
})

describe('A token', () => {
  test('lets a PC in that proves it, and is proven by the office first', async () => {
    const { address, admitted } = await openHost()
    await joinOffice({ address, way: { kind: 'token', token }, applicant: applicant() })
    expect(admitted).toMatchObject([{ way: 'token', by: undefined }])
    const other = 'another token of an autosetup file, long'
    expect(await reasonOf(begin(address, { way: { kind: 'token', token: other } }).joined)).toContain('wrong-token')
    const without = await openHost({ token: undefined })
    expect(await reasonOf(begin(without.address, { way: { kind: 'token', token } }).joined)).toContain(
      'none is set there',
    )
    expect(() => new JoinHost({ token: 'short' } as never)).toThrow('32 characters')
  })

  test('can be guessed five times from one address', async () => {
    const { address, admitted } = await openHost()
    const guess = async () => {
      const { frames } = await dial(address)
      frames.send({ type: 'hello', protocol: joinProtocol, version: '0.4.0', way: 'token' })
      const answer = await reasonOf(frames.next(Host, 10_000))
      if (answer !== 'joined') return answer
      frames.send({ type: 'proof', proof: newNonce(), applicant: JSON.stringify(applicant()) })
      return reasonOf(frames.next(Host, 10_000))
    }
    for (let tries = 0; tries < 5; tries++) expect(await guess()).toContain('wrong-token')
    expect(await guess()).toContain('busy: Too many wrong tokens')
    expect(admitted).toHaveLength(0)
  })

  test('is recognised in others without being told', async () => {
    const fresh: AboutHere = { kind: 'candidate', node: 'PC-3', nodeId: 'three', version: '0.4.0' }
    const { address } = await openHost({ about: () => fresh })
    expect(await askAbout(address, { version: '0.4.0', token })).toMatchObject({ ...fresh, sharesToken: true, address })
    expect(await askAbout(address, { version: '0.4.0', token: `${token}.` })).toMatchObject({ sharesToken: false })
    expect(await askAbout(address, { version: '0.4.0' })).toMatchObject({ sharesToken: false })
    expect(await reasonOf(begin(address).joined)).toContain('has no office yet')
  })
})

describe('The join side of the cluster port', () => {
  test('says who is there, and names both versions when they are too far apart', async () => {
    const { address } = await openHost()
    const about = await askAbout(address, { version: '0.9.0' })
    expect(about).toMatchObject({ ...office, officeId: officeIdOf(authority.certificate), protocol: joinProtocol })
    expect(await reasonOf(begin(address, { applicant: applicant({ version: '0.9.0' }) }).joined)).toBe(
      'version: FRONT-DESK runs Lanthorn 0.4.0, this PC runs 0.9.0: these are too far apart to carry one office. Update FRONT-DESK to 0.9.0, then try again.',
    )
    expect(await reasonOf(begin(address, { applicant: applicant({ version: '0.2.0' }) }).joined)).toContain(
      'Update this PC to 0.4.0',
    )
    expect(await reasonOf(begin(address, { applicant: applicant({ version: 'new' }) }).joined)).toContain(
      'cannot be told',
    )
  })

  test('bears garbage, silence, big messages and crowds', async () => {
    const impatient = await openHost({ answerMs: 200 })
    const open = async () => (await dial(impatient.address)).frames
    const send = async (bytes: Buffer) => {
      const frames = await open()
      frames.socket.write(bytes)
      return reasonOf(frames.next(Host, 10_000))
    }
    const framed = (body: Buffer | string) => Buffer.concat([Buffer.from([0, 0, 0, body.length]), Buffer.from(body)])
    const answers = await Promise.all([
      send(randomBytes(500)),
      send(Buffer.from([0x7f, 0, 0, 0])),
      send(framed('{"type":')),
      send(framed('null')),
      send(framed('{"type":"hello","protocol":"1"}')),
      send(Buffer.alloc(0)),
    ])
    for (const answer of answers) expect(answer).toMatch(/^(unreachable|ended)/)
    const flood = await open()
    flood.socket.write(Buffer.concat(Array.from({ length: 20_000 }, () => framed('{"type":"here"}'))))
    expect(await reasonOf(flood.next(Host, 10_000))).toMatch(/ended|unreachable/)

    // As many as there are places say nothing: who speaks is heard, and nobody who waits for a person makes room.
    const crowded = await openHost()
    const asks = begin(crowded.address)
    asks.joined.catch(() => undefined)
    await asks.shown
    const silent: Dialled['frames'][] = []
    for (let count = 0; count < 40; count++) silent.push((await dial(crowded.address)).frames)
    expect(await askAbout(crowded.address, { version: '0.4.0' })).toMatchObject({ kind: 'office' })
    expect(crowded.host.requests).toHaveLength(1)
    await expect.poll(() => silent.filter(({ fault }) => fault === undefined).length).toBeLessThan(32)
    crowded.host.close()

    const { host, address } = await openHost()
    const waiting = []
    for (let count = 0; count < 8; count++) {
      const one = begin(address, { applicant: applicant({ id: `pc-${count}` }) })
      one.joined.catch(() => undefined)
      waiting.push(one)
      await one.shown
    }
    expect(await reasonOf(begin(address, { applicant: applicant({ id: 'pc-9' }) }).joined)).toContain(
      'busy: 8 PCs wait',
    )
    // The same PC asks anew: its former request ends, the new one has its place.
    const again = begin(address, { applicant: applicant({ id: 'pc-0' }) })
    again.joined.catch(() => undefined)
    await again.shown
    expect(await reasonOf(waiting[0]?.joined ?? Promise.resolve())).toContain('asked anew')
    expect(host.requests).toHaveLength(8)
    host.close()
    expect(await reasonOf(again.joined)).toContain('Chat on FRONT-DESK was ended')
  })

  test('what is not Lanthorn at an address is told as such', async () => {
    const plain = createServer(socket => socket.end('SSH-2.0-x\r\n')).listen(0, '127.0.0.1')
    await once(plain, 'listening')
    ends.push(() => plain.close())
    const { port } = plain.address() as AddressInfo
    expect(await reasonOf(begin(`127.0.0.1:${port}`).joined)).toContain('no PC of a Lanthorn office')
    expect(await reasonOf(begin('127.0.0.1:1').joined)).toContain('127.0.0.1:1 is on, but no chat runs there')
    expect(await reasonOf(begin('10.0.0').joined)).toContain('“10.0.0” is no address')
  })
})
