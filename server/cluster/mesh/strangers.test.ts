import { createPublicKey } from 'node:crypto'
import net from 'node:net'
import { text } from 'node:stream/consumers'
import tls from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { authority, known, open, type Papers, papers, quick, reached, states } from '../../../test/support/mesh.ts'
import { type CertifiedKey, issueFor } from '../../net/ca.ts'
import { frameKinds, type PeerState } from '../mesh.ts'
import { kind, plainFrame } from './frames.ts'
import type { NodeCertificate } from './identity.ts'
import type { OpenMesh } from './mesh.ts'

let office: CertifiedKey
let all: Papers[]
let one: OpenMesh
let two: OpenMesh
let story: PeerState[]

// Nobody dials pc-1 but who is meant to: pc-2 is linked with it all the time.
beforeAll(async () => {
  office = await authority()
  all = await Promise.all([1, 2, 3, 4].map(number => papers(office, number)))
  const [a, b, c] = all as [Papers, Papers, Papers, Papers]
  one = await open(a, office, { timings: { ...quick, handshakeMs: 800 } })
  two = await open(b, office, { nodes: [known(a, one.port)] })
  one.setNodes([known(b, two.port), known(c)])
  await reached(one, 'pc-2', 'up')
  story = states(one, 'pc-2')
})

afterAll(async () => {
  await Promise.all([one.close(), two.close()])
})

/** The link that is there still works and never was in doubt. */
async function stillFine(): Promise<void> {
  const outcome = await new Promise(resolve => one.send('pc-2', frameKinds.tell, Buffer.from('x'), resolve))
  expect(outcome).toBe('done')
  expect(story).toEqual([])
}

interface Caller {
  readonly identity?: NodeCertificate
  readonly protocol?: string
  readonly tls?: tls.ConnectionOptions
  readonly says?: Buffer
}

/** What somebody hears until the end of the connection, or the code of the error. */
async function call(caller: Caller): Promise<string> {
  const socket = tls.connect({
    host: '127.0.0.1',
    port: one.port,
    rejectUnauthorized: false,
    ...(caller.identity && { cert: caller.identity.certificate, key: caller.identity.key }),
    ...(caller.protocol && { ALPNProtocols: [caller.protocol] }),
    ...caller.tls,
  })
  if (caller.says) socket.write(caller.says)
  // What is unread when a connection is ended comes back as a reset.
  return text(socket).catch((error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' ? '' : `${error.code}`))
}

test('whoever is not a node of the office gets nowhere, and only somebody of the office is told why', async () => {
  const [, , , stranger] = all as [Papers, Papers, Papers, Papers]
  const elsewhere = await authority('elsewhere.example')
  const foreign = await papers(elsewhere, 2)
  const link = 'lanthorn-link'
  const hello = plainFrame(kind.hello, '{}')
  expect(await call({ protocol: link, says: hello })).toBe('')
  expect(await call({ protocol: link, identity: foreign.identity, says: hello })).toBe('')
  expect(await call({ protocol: 'lanthorn-hz', identity: foreign.identity, says: hello })).toBe('')
  expect(await call({ protocol: link, identity: stranger.identity, says: hello })).toContain('not one of the PCs')
  expect(await call({ identity: stranger.identity, says: hello })).toBe('')
  expect(await call({ protocol: 'http/1.1' })).toContain('ALERT_NO_APPLICATION_PROTOCOL')
  expect(await call({ protocol: link, tls: { maxVersion: 'TLSv1.2' } })).toContain('ALERT_PROTOCOL_VERSION')
  // Nobody takes applicants at the moment.
  expect(await call({ protocol: 'lanthorn-join' })).toBe('')
  await stillFine()
})

test('a node that talks nonsense, or says that it is another one, is cut off', async () => {
  const [, , c] = all as [Papers, Papers, Papers, Papers]
  const link = { protocol: 'lanthorn-link', identity: c.identity }
  expect(await call({ ...link, says: Buffer.from('GET / HTTP/1.1\r\n\r\n') })).toBe('')
  expect(await call({ ...link, says: plainFrame(kind.bye) })).toBe('')
  expect(await call({ ...link, says: plainFrame(kind.hello, '{"protocol":{"major":2,"minor":0}}') })).toContain(
    'too new',
  )
  // Says nothing at all.
  expect(await call(link)).toBe('')
  expect(await call({ ...link, says: plainFrame(kind.hello, 'x'.repeat(100_000)) })).toBe('')
  await stillFine()
})

test('three hundred connections that say nothing, and garbage, keep nobody out', async () => {
  const [a, , c] = all as [Papers, Papers, Papers, Papers]
  const silent = Array.from({ length: 300 }, (_, n) => {
    const socket = net.connect({ host: '127.0.0.1', port: one.port })
    socket.on('error', () => undefined)
    if (n % 3 === 0) socket.write('\x16\x03\x01 something that is no handshake '.repeat(50))
    return socket
  })
  const closed = silent.map(socket => new Promise(resolve => socket.once('close', resolve)))
  await Promise.all(
    silent.map(socket => new Promise(resolve => socket.once(socket.connecting ? 'connect' : 'close', resolve))),
  )
  const three = await open(c, office, { nodes: [known(a, one.port)] })
  await reached(three, 'pc-1', 'up')
  await stillFine()
  for (const socket of silent) socket.resume()
  // The deadline of the handshake has ended all of them.
  await Promise.all(closed)
  await three.close()
})

test('applicants are given to whoever takes them, without a certificate, a few at a time', async () => {
  const taken: tls.TLSSocket[] = []
  const stop = one.onJoin(socket => {
    taken.push(socket)
    socket.write('welcome')
    socket.on('error', () => undefined)
  })
  const sockets = Array.from({ length: 26 }, () =>
    tls.connect({ host: '127.0.0.1', port: one.port, rejectUnauthorized: false, ALPNProtocols: ['lanthorn-join'] }),
  )
  const heard = await Promise.all(
    sockets.map(
      socket =>
        new Promise<string>(resolve => {
          socket.on('error', () => undefined)
          socket.once('data', chunk => resolve(chunk.toString()))
          socket.once('close', () => resolve('closed'))
        }),
    ),
  )
  expect(heard.toSorted()).toEqual(['closed', 'closed', ...Array.from({ length: 24 }, () => 'welcome')])
  stop()
  for (const socket of [...taken, ...sockets]) socket.destroy()
  await stillFine()
})

test('a certificate is shown as soon as it is renewed; one that has ended lets a node in, so that it can be renewed', async () => {
  const [a, , c] = all as [Papers, Papers, Papers, Papers]
  const publicKey = createPublicKey(c.identity.certificate).export({ type: 'spki', format: 'pem' }).toString()
  const subject = { name: c.node.id, dnsNames: [`${c.node.id}.node.invalid`], addresses: [] }
  const ended = await issueFor(office, { ...subject, days: 1, now: Date.now() - 5 * 86_400_000 }, publicKey)
  const foreign = await papers(await authority('elsewhere.example'), 3)
  const three = await open(c, office, { identity: foreign.identity, nodes: [known(a, one.port)] })
  await expect.poll(() => three.peer('pc-1')?.trouble).toContain('cannot be reached')
  three.setIdentity({ certificate: ended, key: c.identity.key })
  await reached(three, 'pc-1', 'up')
  await three.close()
})
