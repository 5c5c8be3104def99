/** Who counts as one when strangers are limited by where they come from. */
import { isIPv6 } from 'node:net'

/** An IPv4 address, or the /64 that one IPv6 host may pick from. IPv4 in IPv6 is to be unmapped before. */
export function neighbourOf(address: string): string {
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.split('::')
  const groups = head.split(':').filter(Boolean)
  const rest = tail?.split(':').filter(Boolean) ?? []
  const zeros = tail === undefined ? 0 : 8 - groups.length - rest.length
  return `${[...groups, ...Array<string>(Math.max(0, zeros)).fill('0'), ...rest].slice(0, 4).join(':')}::/64`
}
