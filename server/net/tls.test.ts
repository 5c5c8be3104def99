import 'reflect-metadata'
import { createHash, type webcrypto, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import tls from 'node:tls'
import * as x509 from '@peculiar/x509'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CertifiedKey, createAuthority, issue } from './ca.ts'
import { endPointHash } from './certificate.ts'
import { alpn, openServerTls, type ServerTls } from './tls.ts'

let folder: string
let authority: CertifiedKey
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'lanthorn-test-'))
  authority = await createAuthority('ACME')
})
afterAll(() => rm(folder, { recursive: true }))

const make = (changes: object = {}) =>
  issue(authority, { name: 'office.test', dnsNames: ['office.test'], addresses: ['127.0.0.1'], ...changes })
const source = { kind: 'files' as const, certificate: '', key: '' }

async function put({ certificate, key }: CertifiedKey): Promise<typeof source> {
  const files = { ...source, certificate: path.join(folder, 'office.pem'), key: path.join(folder, 'office.key') }
  await writeFile(files.certificate, certificate)
  await writeFile(files.key, key)
  return files
}

/** Connects with TLS and gives what the client sees of the server. */
async function look(port: number, options: tls.ConnectionOptions = {}) {
  const client = tls.connect({
    port,
    host: '127.0.0.1',
    servername: 'office.test',
    ca: authority.certificate,
    ...options,
  })
  await once(client, 'secureConnect')
  const seen = {
    serial: client.getPeerX509Certificate()?.serialNumber,
    isTrusted: client.authorized,
    protocol: client.getProtocol(),
    alpn: client.alpnProtocol,
  }
  client.destroy()
  return seen
}

async function listen(server: net.Server): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as net.AddressInfo).port
}

function wrappingServer(context: ServerTls): net.Server {
  return net.createServer(socket => {
    const secure = context.wrap(socket, { alpn: alpn.c2s })
    secure.on('error', () => secure.destroy())
  })
}

describe('TLS of the listeners', () => {
  test('shows the new certificate to new connections after a reload, by wrap and by a server of its own', async () => {
    const first = await make()
    const context = await openServerTls({ source: await put(first), domain: 'office.test' })
    const plain = wrappingServer(context)
    const direct = tls.createServer(context.serverOptions({ alpn: alpn.c2s }))
    const detach = context.attach(direct)
    const ports = [await listen(plain), await listen(direct)]
    const serials = async () => Promise.all(ports.map(async port => (await look(port)).serial))
    const serialOf = ({ certificate }: CertifiedKey) => new X509Certificate(certificate).serialNumber
    expect(await serials()).toEqual([serialOf(first), serialOf(first)])
    const second = await make()
    await put(second)
    let told: string | undefined
    context.onReload(current => {
      told = current.leaf.serialNumber
    })
    await context.reload()
    expect(await serials()).toEqual([serialOf(second), serialOf(second)])
    expect(told).toBe(serialOf(second))
    detach()
    plain.close()
    direct.close()
  })

  test('speaks TLS 1.3 and 1.2 with trusted certificate and ALPN, and nothing older', async () => {
    const context = await openServerTls({ source: await put(await make()), domain: 'office.test' })
    const server = wrappingServer(context)
    const port = await listen(server)
    expect(await look(port, { ALPNProtocols: ['xmpp-client'] })).toMatchObject({
      isTrusted: true,
      protocol: 'TLSv1.3',
      alpn: 'xmpp-client',
    })
    expect((await look(port, { maxVersion: 'TLSv1.2' })).protocol).toBe('TLSv1.2')
    await expect(look(port, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' })).rejects.toThrow()
    server.close()
  })

  test('says what is wrong with the files of the admin', async () => {
    const open = (changes: object = {}) =>
      openServerTls({ source: { ...source, ...files, ...changes }, domain: 'office.test' })
    const files = await put(await make())
    await expect(open({ key: path.join(folder, 'gone.key') })).rejects.toThrow(
      /The TLS key .*gone.key cannot be read: there is no such file/,
    )
    await expect(open({ certificate: files.key })).rejects.toThrow(/office.key holds no certificate/)
    await expect(open({ key: files.certificate })).rejects.toThrow(/office.pem holds no private key/)
    await writeFile(files.key, (await make()).key)
    await expect(open()).rejects.toThrow(/The key in .*office.key does not belong to the certificate in .*office.pem/)
  })

  test('warns of a certificate that has ended, ends soon, or is for another domain', async () => {
    const warnings = async (changes: object) =>
      (await openServerTls({ source: await put(await make(changes)), domain: 'office.test' })).current.warnings
    expect(await warnings({})).toEqual([])
    expect(await warnings({ days: 3 })).toEqual([expect.stringMatching(/ends on 20\d\d-\d\d-\d\d/)])
    expect(await warnings({ now: Date.now() - 5 * 86_400_000, days: 1 })).toEqual([expect.stringMatching(/ended on/)])
    expect(await warnings({ dnsNames: ['other.test'] })).toEqual([
      expect.stringMatching(/not for the domain office.test \(it is for other.test, 127.0.0.1\)/),
    ])
  })

  test('keeps the certificate in use when the new one is broken or has ended', async () => {
    const good = await make()
    const context = await openServerTls({ source: await put(good), domain: 'office.test' })
    await put({ certificate: good.certificate, key: 'nonsense' })
    await expect(context.reload()).rejects.toThrow(/holds no private key/)
    await put(await make({ now: Date.now() - 5 * 86_400_000, days: 1 }))
    await expect(context.reload()).rejects.toThrow(/ended on .* The certificate in use stays./)
    expect(context.current.pair).toEqual(good)
  })

  test('gives the channel binding hash by the signature algorithm of the leaf', async () => {
    const pair = await make()
    const context = await openServerTls({ source: { kind: 'office', load: async () => pair }, domain: 'office.test' })
    const raw = new X509Certificate(pair.certificate).raw
    expect(context.current.certificateHash).toEqual(createHash('sha256').update(raw).digest())
  })

  const rsa = { modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) }
  test.each([
    ['ECDSA with SHA-256', { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }, 'sha256'],
    ['ECDSA with SHA-384', { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' }, 'sha384'],
    ['ECDSA with SHA-512', { name: 'ECDSA', namedCurve: 'P-521', hash: 'SHA-512' }, 'sha512'],
    ['RSA with SHA-1', { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-1', ...rsa }, 'sha256'],
    ['RSA with SHA-384', { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-384', ...rsa }, 'sha384'],
    ['RSA with SHA-512', { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-512', ...rsa }, 'sha512'],
    ['RSA-PSS with SHA-384', { name: 'RSA-PSS', hash: 'SHA-384', saltLength: 48, ...rsa }, 'sha384'],
    ['Ed25519 (no hash is defined)', { name: 'Ed25519' }, undefined],
  ])('hashes a certificate signed by %s', async (_, algorithm, hash) => {
    const made = await x509.X509CertificateGenerator.createSelfSigned({
      name: 'CN=office.test',
      keys: (await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair,
      signingAlgorithm: algorithm,
    })
    const leaf = new X509Certificate(made.toString('pem'))
    expect(endPointHash(leaf)).toEqual(hash && createHash(hash).update(leaf.raw).digest())
  })
})
