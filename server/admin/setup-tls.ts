/** HTTPS before there is an office: a certificate for this start only, so that a link can be opened from another PC. */
import { createAuthority, issue } from '../net/ca.ts'
import { openServerTls, type ServerTls } from '../net/tls.ts'
import { ownAddresses } from './setup.ts'

/** Makes an authority and a certificate that are kept nowhere. Browsers warn of it; on this PC itself nobody needs it. */
export async function makeSetupTls(): Promise<ServerTls> {
  const authority = await createAuthority('Lanthorn set-up')
  const leaf = await issue(authority, {
    name: 'Lanthorn set-up',
    dnsNames: ['localhost'],
    addresses: ['127.0.0.1', ...ownAddresses()],
    days: 30,
  })
  return openServerTls({ domain: 'localhost', source: { kind: 'office', load: async () => leaf } })
}
