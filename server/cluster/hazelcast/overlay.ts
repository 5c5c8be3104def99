/** An admin's own Hazelcast configuration, laid over ours: what it says wins, what it leaves out stays as ours. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { parse } from 'yaml'
import { mergeXml } from './xml.ts'
import { type Configuration, type ConfigurationValue, printConfiguration } from './yaml.ts'

/** What the member is started with, and what we need to know of it to speak with it. */
export interface MemberFile {
  readonly kind: 'yaml' | 'xml'
  readonly text: string
  readonly port: number
  readonly clusterName: string
  /** Whether it answers questions about its health. */
  readonly hasRest: boolean
}

const fileBytesMax = 1024 * 1024

/** Our configuration alone. */
export function memberFile(ours: Configuration): MemberFile {
  return { kind: 'yaml', text: printConfiguration(ours), ...known(ours) }
}

/**
 * Reads the file and lays it over ours.
 * @param ours as memberConfiguration makes it
 * @param file path; a name that ends in .xml is XML, any other YAML
 * @returns the whole, or a sentence that names the file and what is wrong with it
 */
export async function layOver(ours: Configuration, file: string): Promise<MemberFile | string> {
  const refuse = (reason: string): string =>
    `The Hazelcast member of this PC does not start, because its own configuration ${file} ${reason}: correct it, or take its name out of the settings.`
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    return refuse(`cannot be read (${(error as NodeJS.ErrnoException).code ?? error})`)
  }
  if (text.length > fileBytesMax) return refuse('is longer than 1 MB')
  try {
    return path.extname(file).toLowerCase() === '.xml' ? mergeXml(ours, text) : mergeYaml(ours, text)
  } catch (error) {
    return refuse(`is faulty (${error instanceof Error ? error.message.split('\n', 1)[0] : error})`)
  }
}

/** @throws Error when it is not YAML, or has no `hazelcast:` */
export function mergeYaml(ours: Configuration, text: string): MemberFile {
  const theirs = (parse(text) as { hazelcast?: ConfigurationValue } | null)?.hazelcast
  if (!isMapping(theirs)) throw new Error('it has no section "hazelcast:"')
  const whole = merge(ours, theirs) as Configuration
  return { kind: 'yaml', text: printConfiguration(whole), ...known(whole) }
}

/** The ways in which members find each other exclude one another: an own choice takes the place of ours as a whole. */
const noJoin = { 'auto-detection': { enabled: false }, multicast: { enabled: false } }

function merge(ours: ConfigurationValue | undefined, theirs: ConfigurationValue, name = ''): ConfigurationValue {
  if (!isMapping(theirs)) return theirs
  const merged: Record<string, ConfigurationValue> = { ...(name === 'join' ? noJoin : isMapping(ours) ? ours : {}) }
  for (const [key, value] of Object.entries(theirs)) merged[key] = merge(merged[key], value, key)
  return merged
}

function known(whole: Configuration): { port: number; clusterName: string; hasRest: boolean } {
  const at = (...path: string[]): ConfigurationValue | undefined =>
    path.reduce<ConfigurationValue | undefined>((value, key) => (isMapping(value) ? value[key] : undefined), whole)
  const port = at('network', 'port')
  return {
    port: Number(isMapping(port) ? port.port : port),
    clusterName: String(at('cluster-name')),
    hasRest:
      at('network', 'rest-api', 'enabled') === true &&
      at('network', 'rest-api', 'endpoint-groups', 'HEALTH_CHECK', 'enabled') === true,
  }
}

function isMapping(value: ConfigurationValue | undefined): value is { readonly [name: string]: ConfigurationValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
