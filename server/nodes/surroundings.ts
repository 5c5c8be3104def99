/** What is around this PC: its own beacon, and the offices and PCs that announce themselves or are listed in the configuration. */
import type { Logger } from 'pino'
import type { OfficeCard } from '../admin/contract/joining.ts'
import type { Discovered } from '../admin/parts.ts'
import { type Announcer, beaconDefaults, type NetworkBeacon, openBeacon } from '../cluster/discovery/beacon.ts'
import { Discovery } from '../cluster/discovery/discovery.ts'
import type { ClusterConfig } from '../config.ts'
import { type ClusterSettings, interfacesOf } from './settings.ts'

/** How long a look that somebody waits for may take. */
const LOOK_MS = 1_500

export interface SurroundingsOptions {
  readonly nodeId: string
  readonly version: string
  /** Where this appliance listens: one address alone means that its network only. */
  readonly host: string
  readonly cluster: Omit<ClusterConfig, 'token' | 'enabled'>
  readonly token: string | undefined
  readonly log: Logger
  /** What an administrator has chosen for all PCs; it wins over the autosetup file. */
  readonly settings?: ClusterSettings
  /** The office of this PC, if it has one. */
  officeId(): string | undefined
  /** A PC of the own office is heard at an address. */
  onOwnNode?(node: { readonly nodeId: string; readonly address: string }): void
}

export class Surroundings {
  readonly discovery: Discovery
  readonly #beacon: NetworkBeacon

  constructor(options: SurroundingsOptions) {
    const { nodeId, version, host, cluster, token, log } = options
    const isAll = host === '::' || host === '0.0.0.0'
    this.#beacon = openBeacon({
      ...cluster.discovery,
      ...(isAll ? {} : { interfaces: [host] }),
      ...(options.settings && announcingOf(options.settings)),
      log: log.child({ part: 'beacon' }),
    })
    this.discovery = new Discovery({
      beacon: this.#beacon,
      peers: cluster.peers,
      self: () => ({ nodeId, version, officeId: options.officeId() }),
      token,
      onOwnNode: node => options.onOwnNode?.(node),
      log: log.child({ part: 'discovery' }),
    })
  }

  /** Says from now on that this PC is there. */
  announce(announcer: Announcer): void {
    this.#beacon.announce(announcer)
  }

  /** Cards of the offices that can be joined. */
  get cards(): OfficeCard[] {
    return this.discovery.offices
      .filter(({ own }) => !own)
      .map(({ officeId, office, domain, people, pcs, address, seenAt, trouble }) => ({
        ...{ officeId, office, domain, people, pcs: [...pcs], address, seenAt },
        ...(trouble !== undefined && { trouble }),
      }))
  }

  /** Asks everybody now, and waits a moment for the answers. */
  async look(): Promise<Discovered> {
    this.discovery.look()
    await new Promise(resolve => setTimeout(resolve, LOOK_MS))
    return this.discovery.offices.map(({ officeId, office, domain, own, people, nodes }) => ({
      ...{ officeId, office, domain, own, people },
      nodes: nodes.map(({ name, address, version, seenAt }) => ({ name, address, version, seenAt })),
    }))
  }

  close(): void {
    this.discovery.close()
    void this.#beacon.close()
  }
}

/** Only what was changed: the autosetup file may say something else for this PC. */
function announcingOf(settings: ClusterSettings) {
  const { multicastGroup: group, multicastGroup6: group6, multicastPort: port, multicastTtl: ttl } = settings
  const interfaces = interfacesOf(settings)
  return {
    ...(group !== beaconDefaults.group && { group }),
    ...(group6 !== beaconDefaults.group6 && { group6 }),
    ...(port !== beaconDefaults.port && { port }),
    ...(ttl !== beaconDefaults.ttl && { ttl }),
    ...(interfaces && { interfaces }),
  }
}
