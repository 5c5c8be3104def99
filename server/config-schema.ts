/** The shape of the autosetup file: names, types, limits, defaults. What each must be stands in its description, which is also its error sentence. */
import { type Static, Type } from 'typebox'

/** Each description ends the sentence "<path> must be …"; `writeOnly` values are never shown. */
const port = (standard: number) =>
  Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: standard,
    description: 'a port from 0 to 65535, where 0 means any free one',
  })
const text = (description: string, options: object = {}) =>
  Type.String({ minLength: 1, maxLength: 1_000, description, ...options })
const password = () => text('a password in double quotes', { writeOnly: true })
const strict = { additionalProperties: false }
const group = { ...strict, description: 'a group of settings in { }' }

const listenSchema = Type.Object(
  {
    host: text('an address of this computer in double quotes, or "::" for all', { default: '::' }),
    c2s: port(5222),
    c2sTls: port(5223),
    s2s: port(5269),
    s2sTls: port(5270),
    component: port(5347),
    web: port(7443),
    webPlain: port(7070),
    admin: port(9091),
    adminPlain: port(9090),
    cluster: port(5275),
  },
  { ...group, default: {} },
)

const clusterSchema = Type.Object(
  {
    enabled: Type.Boolean({ default: false, description: 'true or false' }),
    token: Type.Optional(
      Type.String({
        minLength: 32,
        maxLength: 1_000,
        writeOnly: true,
        description: 'a secret of at least 32 characters in double quotes',
      }),
    ),
    peers: Type.Array(
      Type.String({
        pattern: '^(\\[[0-9a-fA-F:.%\\w]+\\]|[^\\s:\\[\\]]+)(:\\d{1,5})?$',
        description: 'the address of another node as "host:5275"',
      }),
      { default: [], maxItems: 100, description: 'a list of addresses in [ ]' },
    ),
    discovery: Type.Object(
      {
        group: Type.String({
          default: '239.255.54.32',
          pattern: '^(22[4-9]|23\\d)(\\.(25[0-5]|2[0-4]\\d|1?\\d?\\d)){3}$',
          description: 'an IPv4 multicast address (224.0.0.0 to 239.255.255.255) in double quotes',
        }),
        port: Type.Integer({ minimum: 1, maximum: 65_535, default: 54_327, description: 'a port from 1 to 65535' }),
      },
      { ...group, default: {} },
    ),
    hazelcastPortBase: Type.Integer({
      minimum: 1,
      maximum: 65_000,
      default: 5_710,
      description: 'a port from 1 to 65000',
    }),
  },
  { ...group, default: {} },
)

/** The file as people write it, with its defaults. */
export const configSchema = Type.Object(
  {
    office: Type.Optional(text('the name of the office in double quotes')),
    domain: text('the domain of the chat addresses in double quotes, as in "office.example"'),
    node: Type.Optional(text('the name of this computer in double quotes')),
    admin: Type.Object(
      { username: text('a user name in double quotes', { default: 'admin' }), password: password() },
      { ...strict, description: 'the first admin as { "username": "…", "password": "…" }' },
    ),
    people: Type.Array(
      Type.Object(
        {
          username: text('a user name in double quotes'),
          password: password(),
          name: Type.Optional(text('a name in double quotes')),
        },
        { ...strict, description: 'a person as { "username": "…", "password": "…" }' },
      ),
      { default: [], maxItems: 100_000, description: 'a list of people in [ ]' },
    ),
    listen: listenSchema,
    tls: Type.Optional(
      Type.Object(
        {
          certificate: text('the name of a PEM file in double quotes'),
          key: text('the name of a PEM file in double quotes'),
        },
        { ...strict, description: 'a pair of files as { "certificate": "…", "key": "…" }' },
      ),
    ),
    database: Type.Object(
      { url: text('"embedded" or a postgresql:// URL', { default: 'embedded', writeOnly: true }) },
      { ...group, default: {} },
    ),
    cluster: clusterSchema,
    settings: Type.Record(Type.String(), Type.Unknown(), {
      default: {},
      description: 'a group of settings in { }, each as "name": value',
    }),
  },
  { ...strict, description: 'one group of settings in { }' },
)

/** Names of the ports, in the order people meet them. */
export const portNames = Object.keys(listenSchema.properties).filter(name => name !== 'host') as PortName[]

export type PortName = Exclude<keyof Static<typeof listenSchema>, 'host'>
/** Where a node listens; each port under the name that `ready` prints it by. */
export type Listen = Static<typeof listenSchema>
/** How a node finds and joins its neighbours. */
export type ClusterConfig = Static<typeof clusterSchema>
