/** The ways into an office's mesh that a stranger can try, and somebody whose PC was removed from it. */
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import tls from 'node:tls'
import { codeIdOf } from '../../server/cluster/pairing/codes.ts'
import { dial } from '../../server/cluster/pairing/dial.ts'
import { readJoinCode } from '../../server/cluster/pairing/join-code.ts'
import { type JoinWay, joinOffice } from '../../server/cluster/pairing/joiner.ts'
import { Host } from '../../server/cluster/pairing/messages.ts'
import { newNonce } from '../../server/cluster/pairing/proofs.ts'
import { joinProtocol } from '../../server/cluster/pairing/versions.ts'
import { type Applicant, JoinFault, type Welcome } from '../../server/cluster/welcome.ts'
import { type CertifiedKey, createAuthority, issue } from '../../server/net/ca.ts'

const protocols = ['lanthorn-link', 'lanthorn-hz']
const hello = Buffer.from('{"kind":"hello","node":"pc-2","number":2,"epoch":99}')

/** What somebody has who was in the office: his key, what the office gave him, and what he told of himself. */
interface Papers {
  readonly key: string
  readonly applicant: Applicant
  readonly welcome: Welcome
}

/** Each way in without anything of the office, and what was heard: nothing is ''. */
export async function knock(host: string, port: number): Promise<Record<string, string>> {
  const own = await issue(await createAuthority('ACME'), { name: 'pc-2', dnsNames: ['pc-2'], addresses: [] })
  const heard: Record<string, string> = {}
  for (const protocol of protocols) {
    heard[`${protocol} without a certificate`] = await hear(host, port, [protocol])
    heard[`${protocol} with a certificate of its own office`] = await hear(host, port, [protocol], own)
  }
  heard['no protocol'] = await hear(host, port, undefined)
  heard['an unknown protocol'] = await hear(host, port, ['h2'])
  return heard
}

/** Each way on the join side with a secret that was guessed, and why it failed. */
export async function guess(address: string, version: string): Promise<Record<string, string>> {
  const { applicant } = newcomer(version)
  const token = randomBytes(24).toString('hex')
  const say = async (way: 'token' | 'code'): Promise<unknown> => {
    const { frames } = await dial(address)
    const code = codeIdOf(randomBytes(20))
    frames.send({ type: 'hello', protocol: joinProtocol, version, way, ...(way === 'code' && { code }) })
    await frames.next(Host, 5_000)
    frames.send({ type: 'proof', proof: newNonce(), applicant: JSON.stringify(applicant) })
    return frames.next(Host, 5_000)
  }
  return {
    'a token': await why(joinOffice({ address, way: { kind: 'token', token }, applicant })),
    'a token, whatever the office proves': await why(say('token')),
    'a join code': await why(say('code')),
  }
}

/** Comes in by a join code, and writes down what it is given. @returns its name there */
export async function join(code: string, version: string, file: string): Promise<string> {
  const { key, applicant } = newcomer(version)
  const welcome = await joinOffice({ way: { kind: 'code', code: readJoinCode(code) }, applicant })
  await writeFile(file, JSON.stringify({ key, applicant, welcome } satisfies Papers), { mode: 0o600 })
  return welcome.name
}

/** Each way back in with what was written down, and what was heard. */
export async function comeBack(host: string, port: number, file: string, token: string, code: string) {
  const { key, applicant, welcome } = JSON.parse(await readFile(file, 'utf8')) as Papers
  const own = { certificate: welcome.certificate, key }
  // Its disk has the key of the office's authority, too.
  const made = await issue(welcome.authority, { name: applicant.id, dnsNames: [], addresses: [] })
  const heard: Record<string, string> = {}
  for (const protocol of protocols) {
    heard[`${protocol} with its certificate`] = await hear(host, port, [protocol], own)
    heard[`${protocol} with one that it has made`] = await hear(host, port, [protocol], made)
  }
  const address = `${host}:${port}`
  const fresh = newcomer(applicant.version).applicant
  const ask = (way: JoinWay, who: Applicant) => why(joinOffice({ address, way, applicant: who }))
  heard['its key, with a join code'] = await ask({ kind: 'code', code: readJoinCode(code) }, applicant)
  heard['a new key, with the token'] = await ask({ kind: 'token', token }, fresh)
  return heard
}

function newcomer(version: string): { key: string; applicant: Applicant } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    applicant: {
      ...{ id: randomUUID(), name: 'stranger', system: 'Test', version, hazelcast: undefined, addresses: [] },
      publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    },
  }
}

async function why(joining: Promise<unknown>): Promise<string> {
  try {
    await joining
    return 'is in'
  } catch (error) {
    if (error instanceof JoinFault) return `${error.reason}: ${error.message}`
    throw error
  }
}

/** Says hello over TLS. @returns all that is heard until the connection is ended */
async function hear(host: string, port: number, protocol: string[] | undefined, own?: CertifiedKey): Promise<string> {
  const socket = tls.connect({
    ...{ host, port, rejectUnauthorized: false, timeout: 8_000 },
    ...(protocol && { ALPNProtocols: protocol }),
    ...(own && { cert: own.certificate, key: own.key }),
  })
  let heard = ''
  socket.on('data', data => {
    heard += data.toString('latin1')
  })
  const closed = new Promise<void>(resolve => socket.once('close', () => resolve()))
  socket.on('error', () => undefined) // 'close' follows
  const length = Buffer.alloc(4)
  length.writeUInt32BE(hello.length)
  socket.once('secureConnect', () => socket.write(Buffer.concat([length, hello])))
  socket.once('timeout', () => {
    heard += 'The connection was kept.'
    socket.destroy()
  })
  await closed
  return heard
}
