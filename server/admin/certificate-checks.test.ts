import { X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { createAuthority, issue } from '../net/ca.ts'
import { certificateChecks, makerOf } from './certificate-checks.ts'
import type { OfficeParts } from './parts.ts'

const names = { name: 'acme.test', dnsNames: ['acme.test'], addresses: [] }

test('certificates of different makers are told of: an own one counts for its PC alone', async () => {
  const authority = await createAuthority('ACME')
  const leaf = new X509Certificate((await issue(authority, names)).certificate)
  const elsewhere = new X509Certificate((await issue(await createAuthority('Elsewhere'), names)).certificate)
  const office = { domain: 'acme.test', nodes: { node: 'front-desk' }, tls: { current: { leaf } } } as OfficeParts
  const others: { name: string; maker: string }[] = []
  const far = { makers: async () => others }
  const check = certificateChecks(office, { now: Date.now, far }).find(({ id }) => id === 'certificate-makers')
  expect(await check?.run()).toBeUndefined()
  others.push({ name: 'back-office', maker: makerOf(leaf) })
  expect(await check?.run()).toMatchObject({ state: 'ok' })
  others.push({ name: 'workshop', maker: makerOf(elsewhere) })
  expect(await check?.run()).toMatchObject({
    state: 'warn',
    sentence: expect.stringMatching(
      /ACME.* on front-desk, back-office; .*Elsewhere.* on workshop\. An own certificate/,
    ),
  })
})
