import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { aManifest, newKeys, signed } from '../../test/updates/publisher.ts'
import { fileFor, type ManifestFile, openManifest, readManifest } from './manifest.ts'

const keys = newKeys()
const [file] = aManifest().files as [ManifestFile]
const read = (changes: object) => () => readManifest(JSON.stringify({ ...aManifest(), ...changes }))
const readWith = (changes: object) => read({ files: [{ ...file, ...changes }] })

describe('a list of updates', () => {
  test('is read when its own key signed it', () => {
    const manifest = aManifest({ hazelcast: '5.7' })
    const { bytes, signature } = signed(manifest, keys)
    expect(openManifest(bytes, signature, keys.publicKey)).toEqual(manifest)
    expect(fileFor(manifest, file.target, 'deb')).toEqual(file)
    expect(fileFor(manifest, file.target, 'rpm')).toBeUndefined()
    expect(fileFor(manifest, 'beos-x64', 'deb')).toBeUndefined()
  })

  test('is refused with another key, one changed byte, or what is no signature', () => {
    const { bytes, signature } = signed(aManifest(), keys)
    const refusal = /is not signed by the makers of this Lanthorn/
    expect(() => openManifest(bytes, signature, newKeys().publicKey)).toThrow(refusal)
    for (const place of [0, 1, Math.floor(bytes.length / 2), bytes.length - 1]) {
      const changed = Buffer.from(bytes)
      changed[place] = changed[place]! ^ 1
      expect(() => openManifest(changed, signature, keys.publicKey)).toThrow(refusal)
    }
    expect(() => openManifest(Buffer.concat([bytes, Buffer.from(' ')]), signature, keys.publicKey)).toThrow(refusal)
    for (const none of ['', 'no signature', signature.toString().trim().slice(1), `${signature}${signature}`])
      expect(() => openManifest(bytes, Buffer.from(none), keys.publicKey)).toThrow(refusal)
  })

  test('is only believed with a key of the right kind', () => {
    const { bytes, signature } = signed(aManifest(), keys)
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' })
    expect(() => openManifest(bytes, signature, `${other}`)).toThrow(/is no Ed25519 key/)
    expect(() => openManifest(bytes, signature, 'no key')).toThrow(/holds no key/)
  })

  test('is refused when it is too large, before anything is looked at', () => {
    const { bytes, signature } = signed({ ...aManifest(), notes: 'x'.repeat(70_000) }, keys)
    expect(() => openManifest(bytes, signature, keys.publicKey)).toThrow(/larger than such a list can be/)
  })

  test('names one version with files of plain names; each fault is a sentence', () => {
    expect(() => readManifest('{')).toThrow('it is no JSON')
    expect(() => readManifest('[]')).toThrow('it is no object')
    expect(read({ format: 2 })).toThrow(/of a newer kind/)
    expect(read({ colour: 'red' })).toThrow('There is an unknown “colour” in the list of updates.')
    for (const version of ['1.2', 'v1.2.3', '1.2.3-rc', '', 7]) expect(read({ version })).toThrow(/^“version”/)
    for (const publishedAt of ['yesterday', '2026-13-01T00:00:00Z', '2026-11-20T10:00:00+01:00', 0])
      expect(read({ publishedAt })).toThrow(/^“publishedAt”/)
    for (const notes of [undefined, 5, 'x'.repeat(4_001)]) expect(read({ notes })).toThrow(/^“notes”/)
    expect(read({ hazelcast: 'newest' })).toThrow(/^“hazelcast”/)
    for (const files of [undefined, [], {}, Array(33).fill(file)]) expect(read({ files })).toThrow(/^“files”/)
    expect(read({ files: [file, { ...file, kind: 'rpm' }] })).toThrow(/files with different names/)
    expect(read({ files: [file, { ...file, name: 'other.deb' }] })).toThrow(/one file for each system and kind/)
    expect(read({ files: ['lanthorn.deb'] })).toThrow('it is no object')
  })

  test('leads to no other folder and passes no option on', () => {
    const names = [
      '../x.deb',
      '/x.deb',
      'a/b.deb',
      'a\\b.deb',
      '.hidden',
      '-force',
      '--root=x',
      '',
      'x\n',
      'x y',
      'ü.deb',
      'x'.repeat(121),
    ]
    for (const name of names) expect(readWith({ name }), name).toThrow(/^“name”/)
    for (const target of ['linux', 'linux-x64/..', '', 5]) expect(readWith({ target })).toThrow(/^“target”/)
    for (const kind of ['exe', '', undefined]) expect(readWith({ kind })).toThrow(/^“kind”/)
    for (const bytes of [0, -1, 1.5, 1e12, '5', null]) expect(readWith({ bytes })).toThrow(/^“bytes”/)
    for (const sha256 of ['', 'f'.repeat(63), 'F'.repeat(64), 'g'.repeat(64)])
      expect(readWith({ sha256 })).toThrow(/^“sha256”/)
    expect(readWith({ url: 'https://other.example' })).toThrow(/unknown “url”/)
  })
})
