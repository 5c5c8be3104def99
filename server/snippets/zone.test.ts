import { expect, test } from 'vitest'
import { zoneLines } from './zone.ts'

const pc1 = { name: 'front-desk', addresses: ['192.0.2.1', 'fd00::1'], c2s: 5222, c2sTls: 5223 }
const pc2 = { name: 'back-room', addresses: ['192.0.2.2'], c2s: 5222 }

test('a zone leads apps to all PCs alike, encrypted from the first byte where that is open', () => {
  expect(
    zoneLines('acme.test', [pc1, pc2]),
  ).toBe(`_xmpp-client._tcp.acme.test. 300 IN SRV 10 50 5222 front-desk.acme.test.
_xmpp-client._tcp.acme.test. 300 IN SRV 10 50 5222 back-room.acme.test.
_xmpps-client._tcp.acme.test. 300 IN SRV 10 50 5223 front-desk.acme.test.
front-desk.acme.test. 300 IN A 192.0.2.1
front-desk.acme.test. 300 IN AAAA fd00::1
back-room.acme.test. 300 IN A 192.0.2.2
`)
})

test('a PC with a host name is named by it, and other alphabets are written as DNS has them', () => {
  const named = { name: 'pc', addresses: ['fe80::1', 'PC-3.lan.acme.test', '192.0.2.3'], c2s: 15_222 }
  expect(zoneLines('bücher.test', [named])).toBe(
    '_xmpp-client._tcp.xn--bcher-kva.test. 300 IN SRV 10 50 15222 pc-3.lan.acme.test.\n',
  )
})

test('what cannot stand in a zone is left out', () => {
  const odd = [
    { name: 'only-here', addresses: ['127.0.0.1', '::1', 'fe80::1', '169.254.1.1'], c2s: 5222 },
    { name: 'a b', addresses: ['192.0.2.4'], c2s: 5222 },
    { name: 'evil', addresses: ['x.test. IN A 1.2.3.4\n'], c2s: 5222 },
  ]
  expect(zoneLines('acme.test', odd)).toBe('')
  expect(zoneLines('192.0.2.1', [pc1])).toBe('')
  expect(zoneLines('a cme.test', [pc1])).toBe('')
  expect(zoneLines('acme.test', [{ ...pc1, addresses: ['[fd00::9]'] }])).toContain(
    'front-desk.acme.test. 300 IN AAAA fd00::9\n',
  )
})
