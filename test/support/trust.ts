/** Makes this process meet an appliance of a test as an office PC meets a real one: by its domain name, and with its authority trusted. */
import dns from 'node:dns'
import tls from 'node:tls'
import type { Appliance } from './appliance.ts'

/** What there is to trust. */
export type Office = Pick<Appliance, 'domain' | 'officeCa'>

type Done = (error: Error | null, ...answer: unknown[]) => void

const addresses = new Map<string, string>()
let isInstalled = false

/**
 * Trusts the office's own authority, as an admin makes its PCs do, and finds its domain on this computer, as DNS would tell.
 * With both, a library checks certificates exactly as it does elsewhere: nothing is switched off.
 */
export async function trustOffice(appliance: Office): Promise<void> {
  tls.setDefaultCACertificates([await appliance.officeCa()])
  addresses.set(appliance.domain, '127.0.0.1')
  if (isInstalled) return
  isInstalled = true
  const lookup = dns.lookup as (host: string, ...rest: unknown[]) => void
  dns.lookup = Object.assign((host: string, ...rest: unknown[]) => {
    const address = addresses.get(host)
    if (address === undefined) return lookup(host, ...rest)
    const done = rest.at(-1) as Done
    const isAll = rest.length > 1 && (rest[0] as dns.LookupOptions).all === true
    if (isAll) process.nextTick(done, null, [{ address, family: 4 }])
    else process.nextTick(done, null, address, 4)
  }, dns.lookup) as typeof dns.lookup
}
