import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { createAuthority, expiry, fingerprint, issue, issueFor, needsRenewal } from './ca.ts'
import { OfficeCertificates } from './office-certificates.ts'

const subject = {
  name: 'office.test',
  dnsNames: ['office.test', '*.office.test', 'front-desk.local'],
  addresses: ['127.0.0.1', '::1', '192.168.1.20'],
}
const dayMs = 86_400_000

describe('the office authority', () => {
  test('signs certificates that name the domain, its services and the addresses', async () => {
    const authority = await createAuthority('ACME')
    const root = new X509Certificate(authority.certificate)
    const leaf = new X509Certificate((await issue(authority, subject)).certificate)
    expect(root.ca).toBe(true)
    expect(root.subject).toBe('O=ACME\nCN=ACME chat authority')
    expect(root.verify(root.publicKey)).toBe(true)
    expect(leaf.ca).toBe(false)
    expect(leaf.verify(root.publicKey)).toBe(true)
    expect(leaf.checkIssued(root)).toBe(true)
    for (const name of ['office.test', 'rooms.office.test', 'front-desk.local'])
      expect(leaf.checkHost(name)).toBeDefined()
    for (const address of subject.addresses) expect(leaf.checkIP(address)).toBeDefined()
    expect(leaf.checkHost('evil.test')).toBeUndefined()
    expect(leaf.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1')
  })

  test('signs the key of another node without seeing its private half', async () => {
    const authority = await createAuthority('ACME')
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
    const leaf = new X509Certificate(await issueFor(authority, { ...subject, days: 30 }, pem))
    expect(leaf.checkPrivateKey(privateKey)).toBe(true)
    expect(leaf.validToDate.getTime() - Date.now()).toBeLessThan(31 * dayMs)
  })

  test('refuses to sign with a key that is not its own', async () => {
    const [one, other] = await Promise.all([createAuthority('ACME'), createAuthority('ACME')])
    await expect(issue({ certificate: one.certificate, key: other.key }, subject)).rejects.toThrow(/does not belong/)
  })

  test('is good for ten years, and no certificate outlives it', async () => {
    const now = Date.now()
    const authority = await createAuthority('ACME', now - 9.5 * 365 * dayMs)
    expect(Math.floor((expiry(authority.certificate) - now) / dayMs)).toBe(182)
    expect(expiry((await issue(authority, subject)).certificate)).toBe(expiry(authority.certificate))
    expect(fingerprint(authority.certificate)).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/)
  })

  test('knows when a certificate is due: last third of its life, new names, another authority', async () => {
    const authority = await createAuthority('ACME')
    const { certificate } = await issue(authority, subject)
    const due = (changes: object) => needsRenewal(certificate, authority.certificate, { ...subject, ...changes })
    expect(due({})).toBe(false)
    expect(due({ now: Date.now() + 200 * dayMs })).toBe(false)
    expect(due({ now: Date.now() + 300 * dayMs })).toBe(true)
    expect(due({ addresses: ['192.168.1.21'] })).toBe(true)
    expect(due({ dnsNames: ['*.other.test'] })).toBe(true)
    expect(needsRenewal(certificate, (await createAuthority('ACME')).certificate, subject)).toBe(true)
  })
})

describe('the certificates in the data folder', () => {
  test('are made once, kept private, and renewed when due', async () => {
    const folder = path.join(await mkdtemp(path.join(tmpdir(), 'lanthorn-test-')), 'tls')
    let now = Date.now()
    let addresses = ['127.0.0.1']
    const certificates = new OfficeCertificates({
      folder,
      office: 'ACME',
      domain: 'office.test',
      hostName: 'Front-Desk',
      clock: () => now,
      addresses: () => addresses,
    })
    const first = await certificates.load()
    expect(await certificates.load()).toEqual(first)
    expect((await readdir(folder)).sort()).toEqual(['node.key', 'node.pem', 'office-ca.key', 'office-ca.pem'])
    if (process.platform !== 'win32') expect((await stat(path.join(folder, 'office-ca.key'))).mode & 0o777).toBe(0o600)
    const leaf = new X509Certificate(first.certificate)
    for (const name of ['office.test', 'rooms.office.test', 'front-desk', 'front-desk.local', 'localhost']) {
      expect(leaf.checkHost(name), name).toBeDefined()
    }
    addresses = ['127.0.0.1', '10.0.0.7']
    expect(await certificates.isDue()).toBe(true)
    const second = await certificates.load()
    expect(new X509Certificate(second.certificate).checkIP('10.0.0.7')).toBeDefined()
    now += 300 * dayMs
    expect(await certificates.load()).not.toEqual(second)
    expect(await certificates.isDue()).toBe(false)
    await rm(path.dirname(folder), { recursive: true })
  })

  test('are made again for this node when they were half written', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'lanthorn-test-'))
    const certificates = new OfficeCertificates({ folder, office: 'ACME', domain: 'office.test', hostName: 'a' })
    await certificates.load()
    await writeFile(path.join(folder, 'node.key'), (await certificates.authority()).key)
    const { certificate, key } = await certificates.load()
    expect(new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))).toBe(true)
    await rm(folder, { recursive: true })
  })

  test('say which file is damaged', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'lanthorn-test-'))
    const certificates = new OfficeCertificates({ folder, office: 'ACME', domain: 'office.test', hostName: 'a' })
    await writeFile(path.join(folder, 'office-ca.pem'), 'nonsense')
    await writeFile(path.join(folder, 'office-ca.key'), 'nonsense')
    await expect(certificates.load()).rejects.toThrow(/office-ca.pem/)
    await rm(folder, { recursive: true })
  })
})
