/** The network interfaces of this PC that packets to everybody can use. */
import { networkInterfaces } from 'node:os'

export interface Place {
  /** 'eth0', 'Ethernet 2' */
  readonly interface: string
  readonly family: 4 | 6
  /** Its address there. */
  readonly address: string
  /** How the platform wants the interface named for multicast: an IPv4 address, or '::%eth0'. */
  readonly multicast: string
}

const placesMax = 16

/**
 * One place for each interface and family. Loopback counts only when it is named, or when this PC has no network at all.
 * @param wanted names or addresses of interfaces; all of them otherwise
 * @param list of the platform
 */
export function placesNow(wanted?: readonly string[], list = networkInterfaces()): Place[] {
  const places: (Place & { isInternal: boolean })[] = []
  for (const [name, addresses = []] of Object.entries(list)) {
    for (const { address, family, internal, scopeid } of addresses) {
      const isWanted = wanted === undefined || wanted.includes(name) || wanted.includes(address)
      const number = family === 'IPv6' ? 6 : 4
      // The first address of an interface is the one it is known by; a wanted address counts in any case.
      const isTaken = places.some(place => place.interface === name && place.family === number)
      if (!isWanted || (isTaken && !wanted?.includes(address))) continue
      const zone = process.platform === 'win32' ? scopeid : name
      const multicast = number === 4 ? address : `::%${zone}`
      places.push({ interface: name, family: number, address, multicast, isInternal: internal })
    }
  }
  // An address of loopback that no list has: 127.0.0.2.
  for (const address of wanted ?? []) {
    if (!/^127\.\d+\.\d+\.\d+$/.test(address) || places.some(place => place.address === address)) continue
    places.push({ interface: address, family: 4, address, multicast: address, isInternal: true })
  }
  const outside = places.filter(place => !place.isInternal)
  const used = wanted === undefined && outside.length > 0 ? outside : places
  return used.slice(0, placesMax).map(({ isInternal: _, ...place }) => place)
}
