/** What an administrator can set about the Hazelcast member of each PC (the declarations are in nodes/settings.ts). */
export interface HazelcastSettings {
  /** Most memory of its Java heap, in megabytes. */
  readonly memberHeapMegabytes: number
  /** Further options of the Java that runs it, as on a command line: garbage collector, compiler, JMX ports. */
  readonly memberFlags: string
  /** Name of an own configuration file (YAML or XML) that is laid over ours; '' = none. */
  readonly configFile: string
  /** Where that file is; '' = the folder `hazelcast` of the data folder. */
  readonly configDirectory: string
  /** Whether the member shows its figures over JMX. */
  readonly jmx: boolean
  /** How long one call to the cluster may take. */
  readonly callTimeoutSeconds: number
  /** Wait before the member is started again after it died: the first, and the longest after several in a row. */
  readonly retryFirstSeconds: number
  readonly retryLongestSeconds: number
  readonly startDelaySeconds: number
}

/** Ours, where nobody has chosen otherwise. */
export const hazelcastDefaults: HazelcastSettings = {
  memberHeapMegabytes: 64,
  memberFlags: '-Xms16m -XX:+UseSerialGC -XX:TieredStopAtLevel=1',
  configFile: '',
  configDirectory: '',
  jmx: false,
  callTimeoutSeconds: 5,
  retryFirstSeconds: 1,
  retryLongestSeconds: 30,
  startDelaySeconds: 0,
}

/** Whether a change takes effect only when the member (not the server) is started anew. */
export function needsNewMember(before: HazelcastSettings, after: HazelcastSettings): boolean {
  const keys = ['memberHeapMegabytes', 'memberFlags', 'configFile', 'configDirectory', 'jmx'] as const
  return keys.some(key => before[key] !== after[key])
}

/**
 * Options as on a command line, with quotes for those that have spaces.
 * @example splitFlags('-Xss256k -Dname="two words"') // ['-Xss256k', '-Dname=two words']
 */
export function splitFlags(text: string): string[] {
  return (text.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? []).map(flag => flag.replaceAll('"', ''))
}
