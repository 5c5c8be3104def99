/**
 * The configuration of a member. Measured and why: it listens on the loopback interface only, its name for the cluster is the office's secret
 * (the only thing the open-source member asks for), and the slot of every PC is listed, because two halves of a split cluster find each other again
 * only by this list. No more than those: in that search a slot that nobody answers at costs five seconds.
 */
import { stringify } from 'yaml'

/** A Hazelcast configuration below its root `hazelcast:`, as in its YAML. */
export type Configuration = { readonly [name: string]: ConfigurationValue }
export type ConfigurationValue =
  | string
  | number
  | boolean
  | null
  | readonly ConfigurationValue[]
  | { readonly [name: string]: ConfigurationValue }

export interface MemberOptions {
  /** Number of the node. */
  readonly number: number
  readonly portBase: number
  /** Numbers of the nodes whose members are looked for. */
  readonly slots: readonly number[]
  readonly clusterName: string
  readonly jmx: boolean
}

/** Name of the map of who is connected where. */
export const routesMap = 'routes'
/** Attribute of a member that tells its node's number. */
export const nodeAttribute = 'node'

/** Ours, before an admin's own is laid over it. */
export function memberConfiguration(options: MemberOptions): Configuration {
  const slots = options.slots.map(number => `127.0.0.1:${options.portBase + number}`)
  return {
    'cluster-name': options.clusterName,
    properties: {
      'hazelcast.phone.home.enabled': false,
      'hazelcast.socket.bind.any': false,
      'hazelcast.wait.seconds.before.join': 0,
      'hazelcast.heartbeat.interval.seconds': 2,
      'hazelcast.max.no.heartbeat.seconds': 20,
      'hazelcast.merge.first.run.delay.seconds': 15,
      'hazelcast.merge.next.run.delay.seconds': 15,
      'hazelcast.shutdownhook.policy': 'GRACEFUL',
      'hazelcast.graceful.shutdown.max.wait': 6,
      'hazelcast.logging.type': 'jdk',
      // Or every line of its log would begin with the secret.
      'hazelcast.logging.details.enabled': false,
      'hazelcast.map.invalidation.batch.enabled': false,
      'hazelcast.health.monitoring.level': 'NOISY',
      'hazelcast.health.monitoring.delay.seconds': 15,
      'hazelcast.jmx': options.jmx,
    },
    network: {
      port: { port: options.portBase + options.number, 'auto-increment': false },
      interfaces: { enabled: true, interfaces: ['127.0.0.1'] },
      join: {
        'auto-detection': { enabled: false },
        multicast: { enabled: false },
        'tcp-ip': { enabled: true, 'connection-timeout-seconds': 3, 'member-list': slots },
      },
      'rest-api': {
        enabled: true,
        'endpoint-groups': { HEALTH_CHECK: { enabled: true }, CLUSTER_READ: { enabled: true } },
      },
    },
    'member-attributes': { [nodeAttribute]: { type: 'string', value: String(options.number) } },
    jet: { enabled: false },
    map: {
      [routesMap]: {
        'backup-count': 1,
        // The merge policy compares the times that these statistics keep.
        'per-entry-stats-enabled': true,
        'merge-policy': { 'class-name': 'com.hazelcast.spi.merge.LatestUpdateMergePolicy', 'batch-size': 100 },
      },
    },
  }
}

/** As the text of a YAML file. */
export function printConfiguration(configuration: Configuration): string {
  return stringify({ hazelcast: configuration }, { lineWidth: 0 })
}
