import { hostname, networkInterfaces } from 'node:os'

/** What this computer knows of itself and its network. */

/** Its addresses in the office network, IPv4 first, as people write them. */
export function lanAddresses(): string[] {
  const addresses = Object.values(networkInterfaces())
    .flatMap(all => all ?? [])
    .filter(address => !address.internal && !(address.family === 'IPv6' && address.address.startsWith('fe80:')))
  return addresses.sort((a, b) => a.family.localeCompare(b.family)).map(address => address.address)
}

/** Where people reach what listens at `host`: there, or at every address of the office network when that means all. */
export function addressesOf(host: string): string[] {
  return host === '::' || host === '0.0.0.0' ? lanAddresses() : [host]
}

/** The DNS domain of this PC, if its host name has one that can be used in an office. */
export function dnsDomain(): string | undefined {
  const [, ...labels] = hostname().split('.')
  const domain = labels.join('.').toLowerCase()
  return labels.length >= 1 && domain !== 'local' && domain !== 'localdomain' && domain !== '' ? domain : undefined
}
