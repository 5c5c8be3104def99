import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConfigFault, parseConfig, readConfig } from './config.ts'
import { findJsonFault } from './json-fault.ts'

const minimal = { domain: 'office.test', admin: { username: 'admin', password: 'secret-one' } }

function sentenceOf(content: unknown): string {
  try {
    parseConfig(typeof content === 'string' ? content : JSON.stringify(content), '/etc/office.json')
  } catch (error) {
    if (error instanceof ConfigFault) return error.message
    throw error
  }
  return 'no fault'
}

describe('the autosetup file', () => {
  test('needs only a domain and an admin; the rest has the defaults of the contract', () => {
    const config = parseConfig(JSON.stringify(minimal), '/etc/office.json')
    const { host, ...ports } = config.listen
    expect(['::', '0.0.0.0']).toContain(host)
    expect(ports).toEqual({
      c2s: 5222,
      c2sTls: 5223,
      s2s: 5269,
      s2sTls: 5270,
      component: 5347,
      web: 7443,
      webPlain: 7070,
      admin: 9091,
      adminPlain: 9090,
      cluster: 5275,
    })
    expect(config).toMatchObject({
      office: 'office.test',
      people: [],
      database: { url: 'embedded' },
      cluster: {
        enabled: false,
        peers: [],
        discovery: { group: '239.255.54.32', port: 54327 },
        hazelcastPortBase: 5710,
      },
      settings: {},
    })
    expect(config.node).not.toBe('')
    expect(config.tls).toBeUndefined()
  })

  test('keeps what is given, enforces names and finds TLS files beside itself', () => {
    const config = parseConfig(
      JSON.stringify({
        ...minimal,
        domain: 'Office.TEST',
        people: [{ username: 'Romeo', password: 'secret-two', name: 'Romeo M.' }],
        listen: { host: '127.0.0.1', c2s: 0, web: 0 },
        tls: { certificate: 'tls/office.pem', key: '/keys/office.key' },
        settings: { 'registration.open': false },
      }),
      '/etc/lanthorn/office.json',
    )
    expect(config.domain).toBe('office.test')
    expect(config.people).toEqual([{ username: 'romeo', password: 'secret-two', name: 'Romeo M.' }])
    expect(config.listen).toMatchObject({ host: '127.0.0.1', c2s: 0, web: 0, c2sTls: 5223 })
    expect(config.tls).toEqual({ certificate: '/etc/lanthorn/tls/office.pem', key: '/keys/office.key' })
    expect(config.settings).toEqual({ 'registration.open': false })
  })

  test.each([
    [{ ...minimal, domian: 'x' }, 'domian is not known; did you mean "domain"?'],
    [{ ...minimal, listen: { c2stls: 1 } }, 'listen.c2stls is not known; did you mean "c2sTls"?'],
    [{ ...minimal, cluster: { discovery: { prot: 1 } } }, 'cluster.discovery.prot is not known; did you mean "port"?'],
    [{ ...minimal, people: [{ user: 'x', password: 'y' }] }, 'people[0].user is not known; did you mean "username"?'],
    [{ ...minimal, 'cluster.token': 1 }, '["cluster.token"] is not known; did you mean "cluster"?'],
    [
      { admin: minimal.admin },
      'domain is missing: it must be the domain of the chat addresses in double quotes, as in "office.example".',
    ],
    [
      { domain: 'office.test' },
      'admin is missing: it must be the first admin as { "username": "…", "password": "…" }.',
    ],
    [{ ...minimal, admin: { username: 'a' } }, 'admin.password is missing: it must be a password in double quotes.'],
    [
      { ...minimal, listen: { c2s: 65536 } },
      'listen.c2s must be a port from 0 to 65535, where 0 means any free one, but it is 65536.',
    ],
    [
      { ...minimal, listen: { web: '7443' } },
      'listen.web must be a port from 0 to 65535, where 0 means any free one, but it is "7443".',
    ],
    [
      { ...minimal, listen: { web: 1.5 } },
      'listen.web must be a port from 0 to 65535, where 0 means any free one, but it is 1.5.',
    ],
    [
      { ...minimal, listen: { web: 5222 } },
      'listen.web is 5222, which listen.c2s has already: give each its own port.',
    ],
    [{ ...minimal, people: {} }, 'people must be a list of people in [ ], but it is {}.'],
    [{ ...minimal, settings: [] }, 'settings must be a group of settings in { }, each as "name": value.'],
    [{ ...minimal, cluster: { enabled: 'yes' } }, 'cluster.enabled must be true or false, but it is "yes".'],
    [
      { ...minimal, cluster: { token: 'short' } },
      'cluster.token must be a secret of at least 32 characters in double quotes.',
    ],
    [
      { ...minimal, cluster: { peers: ['a b'] } },
      'cluster.peers[0] must be the address of another node as "host:5275", but it is "a b".',
    ],
    [
      { ...minimal, cluster: { discovery: { group: '10.0.0.1' } } },
      'cluster.discovery.group must be an IPv4 multicast address (224.0.0.0 to 239.255.255.255) in double quotes, but it is "10.0.0.1".',
    ],
    [
      { ...minimal, people: [{ username: 'ADMIN', password: 'x' }] },
      'people[0].username is "admin", which admin has already.',
    ],
    [[], 'the file must hold one group of settings in { }.'],
  ])('%j → %s', (content, sentence) => {
    expect(sentenceOf(content)).toBe(`/etc/office.json: ${sentence}`)
  })

  test('says what is wrong with a database URL without showing its password', () => {
    const sentence = sentenceOf({ ...minimal, database: { url: 'mysql://me:hidden@db/x' } })
    expect(sentence).toContain('database.url: A database URL begins with postgresql://')
    expect(sentence).not.toContain('hidden')
    expect(sentenceOf({ ...minimal, admin: { username: 'a', password: 5 } })).not.toContain('5')
  })

  test('refuses names that cannot be an address', () => {
    expect(sentenceOf({ ...minimal, domain: 'a b' })).toMatch(/^\/etc\/office.json: domain cannot be used: /)
    expect(sentenceOf({ ...minimal, admin: { username: 'a@b', password: 'x' } })).toMatch(
      /admin.username cannot be used/,
    )
  })

  test.each([
    ['{ "domain": "a", }', 1, 18, 'there is a comma too many before the }'],
    ['{\n  "domain": "a"\n  "node": "b"\n}', 3, 3, 'a comma or } is missing'],
    ['{\n  domain: "a" }', 2, 3, 'the name of a setting in double quotes is expected here'],
    ['{ "domain": \'a\' }', 1, 13, 'texts stand in double quotes (")'],
    ['{ "domain": "a" ', 1, 17, 'the file ends too early: a comma or } is missing'],
    ['{ "a": "C:\\dir" }', 1, 11, 'a backslash in a text is written twice (\\\\)'],
    ['{ "a": 1, "a": 2 }', 1, 11, '"a" stands here a second time'],
    ['{ // domain\n }', 1, 3, 'the name of a setting in double quotes is expected here'],
    ['{} x', 1, 4, 'there is something after the end of the file’s one value'],
    [
      '',
      1,
      1,
      'the file ends too early: a value is expected here: a text in double quotes, a number, true, false, null, [ or {',
    ],
  ])('names line and column of what is not JSON: %j', (content, line, column, what) => {
    expect(sentenceOf(content)).toBe(`/etc/office.json, line ${line}, column ${column}: ${what}.`)
  })

  test('agrees with JSON.parse on what is JSON', () => {
    const seed = 20261122
    const broken = fc
      .tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '"', '{', ']', ':', '\\', '\n', '0', 'é'))
      .map(([json, at, put]) => json.slice(0, at % (json.length + 1)) + put + json.slice((at % (json.length + 1)) + 1))
    fc.assert(
      fc.property(fc.oneof(fc.json(), broken), text => {
        const isJson = parses(text)
        const fault = findJsonFault(text)
        // A key that stands twice is the one thing that we refuse and JSON.parse does not.
        if (fault?.what.endsWith('a second time')) return
        expect(fault === undefined).toBe(isJson)
      }),
      { seed, numRuns: 2_000 },
    )
  })

  test('is read from a file, with a byte order mark or without', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'lanthorn-test-'))
    const file = path.join(folder, 'office.json')
    await writeFile(file, `\uFEFF${JSON.stringify(minimal)}`)
    expect((await readConfig(file)).domain).toBe('office.test')
    await expect(readConfig(path.join(folder, 'missing.json'))).rejects.toThrow(
      `The configuration file ${path.join(folder, 'missing.json')} cannot be read: there is no such file.`,
    )
    await rm(folder, { recursive: true })
  })
})

function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false // that is the question
  }
}
