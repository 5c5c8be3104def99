/** The autosetup file: everything a node needs to become a chat server without anybody at its screen (read while its data folder is empty). */
import { readFile } from 'node:fs/promises'
import { hostname, networkInterfaces } from 'node:os'
import path from 'node:path'
import type { Static, TSchema } from 'typebox'
import { Default, Errors } from 'typebox/value'
import { type ClusterConfig, configSchema, type Listen, portNames } from './config-schema.ts'
import { DatabaseUrlFault, parseDatabaseUrl } from './db/url.ts'
import { findJsonFault } from './json-fault.ts'
import { nearestTo } from './nearest.ts'
import { enforceDomain, enforceLocal } from './xmpp/jid.ts'

export type { ClusterConfig, Listen, PortName } from './config-schema.ts'

/** A configuration that cannot be used; the message is one sentence that names the file and the place in it. */
export class ConfigFault extends Error {
  override readonly name = 'ConfigFault'
}

/** The file with all defaults filled in; file names are absolute, `domain` and user names in their enforced form. */
export type Config = Static<typeof configSchema> & { office: string; node: string }

/** Reads and checks the file. @throws ConfigFault with one sentence */
export async function readConfig(file: string): Promise<Config> {
  let content: string
  try {
    content = await readFile(file, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    const why =
      code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'this user may not read it' : String(error)
    throw new ConfigFault(`The configuration file ${file} cannot be read: ${why}.`)
  }
  return parseConfig(content, file)
}

/** Checks the text of a configuration file. `file` is for sentences and for file names that are relative to it. @throws ConfigFault */
export function parseConfig(content: string, file: string): Config {
  const json = content.replace(/^\uFEFF/, '') // Windows editors put a byte order mark in front
  const fault = findJsonFault(json)
  if (fault) throw new ConfigFault(`${file}, line ${fault.line}, column ${fault.column}: ${fault.what}.`)
  const given: unknown = JSON.parse(json)
  const filled: unknown = Default(configSchema, structuredClone(given))
  const sentence = firstFault(filled)
  if (sentence) throw new ConfigFault(`${file}: ${sentence}`)
  const config = filled as Static<typeof configSchema>
  return finish(config, given as Partial<Config>, file)
}

function finish(config: Static<typeof configSchema>, given: Partial<Config>, file: string): Config {
  const name = (at: string, enforce: () => string) => {
    try {
      return enforce()
    } catch (error) {
      throw new ConfigFault(`${file}: ${at} cannot be used: ${error instanceof Error ? error.message : error}`)
    }
  }
  const domain = name('domain', () => enforceDomain(config.domain))
  const admin = { ...config.admin, username: name('admin.username', () => enforceLocal(config.admin.username)) }
  const people = config.people.map((person, index) => ({
    ...person,
    username: name(`people[${index}].username`, () => enforceLocal(person.username)),
  }))
  refuseTwice(people, admin.username, file)
  refuseSharedPorts(config.listen, file)
  try {
    parseDatabaseUrl(config.database.url)
  } catch (error) {
    if (!(error instanceof DatabaseUrlFault)) throw error
    throw new ConfigFault(`${file}: database.url: ${error.message}`)
  }
  const beside = (found: string) => path.resolve(path.dirname(file), found)
  return {
    ...config,
    domain,
    admin,
    people,
    office: config.office ?? domain,
    node: config.node ?? (hostname().split('.')[0]?.toLowerCase() || 'node'),
    listen: given.listen?.host === undefined ? { ...config.listen, host: everywhere() } : config.listen,
    ...(config.tls ? { tls: { certificate: beside(config.tls.certificate), key: beside(config.tls.key) } } : {}),
  }
}

/** Where a node listens when nobody says otherwise: the usual ports at all its addresses. */
export function defaultListen(): Listen {
  const listen = Default(configSchema.properties.listen, {}) as Listen
  return { ...listen, host: everywhere() }
}

/** How a node finds its neighbours when nobody says otherwise: other PCs may join. */
export function defaultCluster(): ClusterConfig {
  return { ...(Default(configSchema.properties.cluster, {}) as ClusterConfig), enabled: true }
}

/** All addresses of this computer; a computer without IPv6 has no "::". */
function everywhere(): string {
  const hasIpv6 = Object.values(networkInterfaces()).some(list => list?.some(({ family }) => family === 'IPv6'))
  return hasIpv6 ? '::' : '0.0.0.0'
}

function refuseTwice(people: Config['people'], admin: string, file: string): void {
  const seen = new Map([[admin, 'admin']])
  for (const [index, { username }] of people.entries()) {
    const before = seen.get(username)
    if (before)
      throw new ConfigFault(`${file}: people[${index}].username is "${username}", which ${before} has already.`)
    seen.set(username, `people[${index}]`)
  }
}

function refuseSharedPorts(listen: Listen, file: string): void {
  const seen = new Map<number, string>()
  for (const name of portNames) {
    const value = listen[name]
    if (value === 0) continue
    const before = seen.get(value)
    if (before)
      throw new ConfigFault(
        `${file}: listen.${name} is ${value}, which listen.${before} has already: give each its own port.`,
      )
    seen.set(value, name)
  }
}

/** The first thing that is wrong, as the rest of a sentence that begins with the file's name; unknown names come first. */
function firstFault(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return 'the file must hold one group of settings in { }.'
  const { settings } = value as { settings?: unknown }
  if (Array.isArray(settings)) return 'settings must be a group of settings in { }, each as "name": value.'
  const errors = Errors(configSchema, value)
  const unknown = errors.find(error => error.keyword === 'boolean')
  if (unknown) return unknownName(unknown.instancePath)
  const first = errors[0]
  if (!first) return undefined
  if (first.keyword !== 'required') return wrongValue(first.instancePath, value)
  const missing = String((first.params as { requiredProperties?: string[] }).requiredProperties?.[0])
  const schema = schemaAt(`${first.instancePath}/${missing}`)
  return `${pathOf(`${first.instancePath}/${missing}`)} is missing: it must be ${schema?.description}.`
}

function unknownName(pointer: string): string {
  const name = keysOf(pointer).at(-1) ?? ''
  const parent = schemaAt(pointer.slice(0, pointer.lastIndexOf('/'))) as { properties?: object } | undefined
  const known = Object.keys(parent?.properties ?? {})
  return `${pathOf(pointer)} is not known; did you mean "${nearestTo(name, known)}"?`
}

function wrongValue(pointer: string, value: unknown): string {
  const schema = schemaAt(pointer)
  const found = keysOf(pointer).reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], value)
  const shown = schema && 'writeOnly' in schema ? '' : `, but it is ${shorten(JSON.stringify(found))}`
  return `${pathOf(pointer)} must be ${schema?.description ?? 'something else'}${shown}.`
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

interface Described {
  description?: string
  properties?: Record<string, TSchema>
  items?: TSchema
}

function schemaAt(pointer: string): Described | undefined {
  return keysOf(pointer).reduce<Described | undefined>(
    (schema, key) => (schema?.properties?.[key] ?? schema?.items) as Described | undefined,
    configSchema as Described,
  )
}

/** RFC 6901 pointer → its keys. */
function keysOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map(key => key.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** RFC 6901 pointer → what people write: `people[0].username`. */
function pathOf(pointer: string): string {
  return keysOf(pointer)
    .map((key, index) =>
      /^\d+$/.test(key) ? `[${key}]` : /^\w+$/.test(key) ? `${index ? '.' : ''}${key}` : `["${key}"]`,
    )
    .join('')
}
