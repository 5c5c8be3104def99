/** What an administrator can set about the PCs of the office: how they find each other, and the Hazelcast member of each. */
import net from 'node:net'
import path from 'node:path'
import { type Static, Type } from 'typebox'
import { beaconDefaults } from '../cluster/discovery/beacon.ts'
import { type HazelcastSettings, hazelcastDefaults, splitFlags } from '../cluster/hazelcast/settings.ts'
import { feature } from '../core/feature.ts'

/** Said of what takes effect only when the member is started anew; that happens by itself. */
const anew = 'A change starts the member of each PC anew, in a few seconds; chat goes on.'

const settings = Type.Object({
  enabled: Type.Boolean({
    title: 'Several PCs carry this office',
    description:
      'Off: this PC says nothing on the network and takes no connections of other PCs. Can be switched off only while the office has one PC.',
    default: true,
  }),
  multicastGroup: Type.String({
    title: 'Group on the network (IPv4)',
    description: 'The multicast address at which the PCs hear of each other.',
    default: beaconDefaults.group,
    maxLength: 15,
  }),
  multicastGroup6: Type.String({
    title: 'Group on the network (IPv6)',
    description: 'The same for networks with IPv6.',
    default: beaconDefaults.group6,
    maxLength: 39,
  }),
  multicastPort: Type.Integer({
    title: 'Port of the group',
    description: 'UDP. Must be the same on all PCs.',
    default: beaconDefaults.port,
    minimum: 1,
    maximum: 65_535,
  }),
  multicastInterfaces: Type.String({
    title: 'Network interfaces',
    description: 'Names or addresses with commas between them, as in “eth0, 192.168.1.5”. Empty: all.',
    default: '',
    maxLength: 500,
  }),
  multicastTtl: Type.Integer({
    title: 'How far to be heard',
    description: '1 is this network only; each router on the way needs one more.',
    default: beaconDefaults.ttl,
    minimum: 1,
    maximum: 32,
  }),
  memberHeapMegabytes: Type.Integer({
    title: 'Memory of the Hazelcast member, in megabytes',
    description: `Enough for some ten thousand devices. ${anew}`,
    default: hazelcastDefaults.memberHeapMegabytes,
    minimum: 48,
    maximum: 65_536,
  }),
  memberFlags: Type.String({
    title: 'Options of its Java',
    description: `As on a command line: which garbage collector, how much is compiled, ports of JMX. ${anew}`,
    default: hazelcastDefaults.memberFlags,
    maxLength: 2_000,
  }),
  configFile: Type.String({
    title: 'Own Hazelcast configuration',
    description: `Name of a YAML or XML file. What it says wins over ours: other ways to find members (multicast, addresses, clouds), more maps, anything Hazelcast knows. Empty: none. ${anew}`,
    default: hazelcastDefaults.configFile,
    maxLength: 255,
  }),
  configDirectory: Type.String({
    title: 'Folder of that file',
    description: `The same on each PC. Empty: the folder “hazelcast” in the data of this PC. ${anew}`,
    default: hazelcastDefaults.configDirectory,
    maxLength: 1_000,
  }),
  jmx: Type.Boolean({
    title: 'Show the member’s figures over JMX',
    description: `For tools that watch Java programs. The most important ones stand on /metrics without it. ${anew}`,
    default: hazelcastDefaults.jmx,
  }),
  callTimeoutSeconds: Type.Integer({
    title: 'Longest wait for an answer of Hazelcast, in seconds',
    description: 'After that a call is given up and made again. Nobody’s message ever waits for it.',
    default: hazelcastDefaults.callTimeoutSeconds,
    minimum: 1,
    maximum: 300,
  }),
  retryFirstSeconds: Type.Integer({
    title: 'First wait before the member is started again, in seconds',
    description: 'When it has died. Each further time twice as long.',
    default: hazelcastDefaults.retryFirstSeconds,
    minimum: 1,
    maximum: 3_600,
  }),
  retryLongestSeconds: Type.Integer({
    title: 'Longest wait before the member is started again, in seconds',
    description: 'It is tried for ever.',
    default: hazelcastDefaults.retryLongestSeconds,
    minimum: 1,
    maximum: 3_600,
  }),
  startDelaySeconds: Type.Integer({
    title: 'Wait before the member is started first, in seconds',
    description: 'Not needed: nothing else has to be there before it. Counts from the next start of a PC.',
    default: hazelcastDefaults.startDelaySeconds,
    minimum: 0,
    maximum: 600,
  }),
})
/** Static of the settings about PCs; what Hazelcast needs of it is among them. */
export type ClusterSettings = Static<typeof settings> & HazelcastSettings

/** The page “PCs” of the settings. */
export const clusterFeature = feature({
  name: 'cluster',
  title: 'PCs of this office',
  page: 'PCs',
  standards: [],
  settings,
  start: server => {
    server.onSettings({ verify: next => checkClusterSettings(next) })
  },
})

/** Names or addresses of the interfaces on which to announce; undefined = all. */
export function interfacesOf({
  multicastInterfaces,
}: Pick<ClusterSettings, 'multicastInterfaces'>): string[] | undefined {
  const names = multicastInterfaces.split(',').map(name => name.trim())
  const given = names.filter(name => name !== '')
  return given.length > 0 ? given : undefined
}

/** Options that would take away what the member is started with. */
const ourFlags =
  /^(-Xmx|-cp$|-classpath|--class-path|-jar|-Dhazelcast\.config|-Djava\.util\.logging\.config|-XX:SharedArchiveFile)/

/** @throws Error whose message says what is wrong and what to do */
export function checkClusterSettings(next: ClusterSettings): void {
  const { multicastGroup, multicastGroup6, memberFlags, configFile, configDirectory } = next
  if (net.isIPv4(multicastGroup) === false || !/^(22[4-9]|23\d)\./.test(multicastGroup)) {
    throw new Error(
      `“${multicastGroup}” is no group on the network: take an address from 224.0.0.0 to 239.255.255.255.`,
    )
  }
  if (!net.isIPv6(multicastGroup6) || !/^ff/i.test(multicastGroup6)) {
    throw new Error(`“${multicastGroup6}” is no IPv6 group on the network: take an address that begins with ff.`)
  }
  for (const flag of splitFlags(memberFlags)) {
    if (!flag.startsWith('-')) throw new Error(`“${flag}” is no option of Java: each begins with a hyphen.`)
    if (!ourFlags.test(flag)) continue
    const instead = flag.startsWith('-Xmx') ? 'set the memory of the member instead' : 'Lanthorn sets it itself'
    throw new Error(`“${flag}” cannot be set here: ${instead}.`)
  }
  if (configFile !== '' && (configFile !== path.basename(configFile) || !/\.(ya?ml|xml)$/i.test(configFile))) {
    throw new Error(
      `“${configFile}” is no name of a configuration: it ends in .yaml or .xml, and its folder is set apart.`,
    )
  }
  if (configDirectory !== '' && !path.isAbsolute(configDirectory)) {
    throw new Error(`“${configDirectory}” is not a whole path: begin with / or a drive letter.`)
  }
  if (next.retryLongestSeconds < next.retryFirstSeconds) {
    throw new Error('The longest wait before the member is started again cannot be shorter than the first.')
  }
}
