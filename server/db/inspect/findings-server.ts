/** Findings about single servers: versions, rights, connections, clocks, encryption, settings. */
import net from 'node:net'
import { type HostLook, VERSION_MIN } from './host-facts.ts'
import type { Finding } from './inspection.ts'
import { chosenMain, listed, quoted, type Reached, reachedOf, readableMs } from './looks.ts'

/** What an appliance needs: its pool, LISTEN, locks, and a move or a backup beside them. */
export const CONNECTIONS_NEEDED = 20
const CLOCK_MAX_MS = 5_000
const ROUND_TRIP_MAX_MS = 50
/** Idle connections of a pool live about this long by themselves. */
const IDLE_MIN_MS = 60_000

/** Everything about single servers. */
export function serverFindings(looks: readonly HostLook[]): Finding[] {
  const reached = reachedOf(looks)
  const main = chosenMain(looks)
  return [
    ...versionFindings(reached),
    ...(main ? mainFindings(main) : []),
    ...reached.flatMap(connectionFindings),
    ...reached.flatMap(clockFindings),
    ...settingFindings(reached),
    ...tlsFindings(looks, reached),
  ]
}

function versionFindings(reached: readonly Reached[]): Finding[] {
  const old = reached.filter(({ facts }) => facts.versionNumber < VERSION_MIN * 10_000)
  if (old.length > 0) {
    return [
      {
        id: 'version',
        state: 'bad',
        sentence: `${listed(old.map(({ place, facts }) => `${place} runs PostgreSQL ${facts.version}`))}. Lanthorn needs ${VERSION_MIN} or newer.`,
      },
    ]
  }
  const versions = new Set(reached.map(({ facts }) => facts.version))
  if (versions.size < 2) return []
  return [
    {
      id: 'versions-differ',
      state: 'warn',
      sentence: `The servers run different versions: ${reached.map(({ place, facts }) => `${place} ${facts.version}`).join(', ')}.`,
      advice: 'Update them to the same version, the copies first.',
    },
  ]
}

/** What the main database must let us do. */
function mainFindings({ place, facts }: Reached): Finding[] {
  const { user, schema, database } = facts
  const findings: Finding[] = []
  if (schema === undefined) {
    findings.push({
      id: 'no-create',
      state: 'bad',
      sentence: `There is no schema at ${place} that the user ${user} could make tables in.`,
      advice: `In the database ${database}, as a superuser:\nCREATE SCHEMA ${quoted(user)} AUTHORIZATION ${quoted(user)};`,
    })
  } else if (!facts.mayCreate) {
    findings.push({
      id: 'no-create',
      state: 'bad',
      sentence: `The user ${user} may not make tables in the schema ${schema} at ${place}.`,
      advice: `In the database ${database}, as a superuser:\nGRANT CREATE, USAGE ON SCHEMA ${quoted(schema)} TO ${quoted(user)};`,
    })
  }
  if (facts.isReadOnly) {
    findings.push({
      id: 'read-only',
      state: 'bad',
      sentence: `${place} lets nobody write, although it is the main database (default_transaction_read_only is on).`,
      advice: `For Lanthorn alone, as a superuser:\nALTER ROLE ${quoted(user)} SET default_transaction_read_only = off;`,
    })
  }
  if (facts.encoding !== 'UTF8') {
    findings.push({
      id: 'encoding',
      state: 'bad',
      sentence: `The database ${database} at ${place} has the encoding ${facts.encoding}: names and messages in most languages cannot be kept in it.`,
      advice: `Make another one, as a superuser:\nCREATE DATABASE lanthorn OWNER ${quoted(user)} ENCODING 'UTF8' TEMPLATE template0;`,
    })
  }
  if (facts.roundTripMs > ROUND_TRIP_MAX_MS) {
    findings.push({
      id: 'far',
      state: 'warn',
      sentence: `${place} is ${readableMs(facts.roundTripMs)} away: each change takes at least that long.`,
      advice: 'Use a database in the same building.',
    })
  }
  if (facts.idleSessionTimeoutMs > 0 && facts.idleSessionTimeoutMs < IDLE_MIN_MS) {
    findings.push({
      id: 'idle-timeout',
      state: 'warn',
      sentence: `${place} ends connections that are idle for ${readableMs(facts.idleSessionTimeoutMs)}, so Lanthorn has to open new ones all the time.`,
      advice: `As a superuser:\nALTER ROLE ${quoted(user)} SET idle_session_timeout = 0;`,
    })
  }
  if (facts.isPooled) {
    findings.push({
      id: 'pooled',
      state: 'ok',
      sentence: `${place} shares its connections among its clients (PgBouncer or the like): Lanthorn works with that. How many are free cannot be seen from here.`,
    })
  }
  return findings
}

function connectionFindings({ place, facts }: Reached): Finding[] {
  const { freeConnections, ownConnections = 0 } = facts
  // This look itself has one.
  if (freeConnections === undefined || freeConnections + ownConnections >= CONNECTIONS_NEEDED) return []
  const few =
    freeConnections <= 0 ? 'no connection' : `only ${freeConnections} connection${freeConnections === 1 ? '' : 's'}`
  return [
    {
      id: 'no-slots',
      state: facts.isCopy || freeConnections > 0 ? 'warn' : 'bad',
      sentence: `${place} has ${few} free; Lanthorn uses up to ${CONNECTIONS_NEEDED}.`,
      advice: `Raise max_connections there (ALTER SYSTEM SET max_connections = 200; then restart PostgreSQL, the copies first), and any limit of the user ${facts.user} or the database.`,
    },
  ]
}

function clockFindings({ place, facts }: Reached): Finding[] {
  const { clockAheadMs } = facts
  if (Math.abs(clockAheadMs) < CLOCK_MAX_MS) return []
  return [
    {
      id: 'clock',
      state: 'warn',
      sentence: `The clock of ${place} is ${readableMs(clockAheadMs)} ${clockAheadMs > 0 ? 'ahead of' : 'behind'} that of this PC.`,
      advice: 'Let both follow a time server.',
    },
  ]
}

function settingFindings(reached: readonly Reached[]): Finding[] {
  const unsafe = (name: string, places: readonly Reached[]): Finding[] =>
    places.length === 0
      ? []
      : [
          {
            id: name,
            state: 'warn',
            sentence: `PostgreSQL at ${listed(places.map(({ place }) => place))} runs with ${name} = off, without waiting for the disk: after a power cut the data there may be broken.`,
            advice: `There, as a superuser:\nALTER SYSTEM SET ${name} = on;\nSELECT pg_reload_conf();`,
          },
        ]
  return [
    ...unsafe(
      'fsync',
      reached.filter(({ facts }) => !facts.fsync),
    ),
    ...unsafe(
      'full_page_writes',
      reached.filter(({ facts }) => facts.fsync && !facts.fullPageWrites),
    ),
  ]
}

function tlsFindings(looks: readonly HostLook[], reached: readonly Reached[]): Finding[] {
  const far = reached.filter(({ host }) => !isThisPc(host))
  const open = far.filter(({ facts }) => facts.tls === 'none')
  if (open.length > 0) {
    return [
      {
        id: 'no-tls',
        state: 'warn',
        sentence: `The way to ${listed(open.map(({ place }) => place))} is not encrypted: who listens in the network can read messages.`,
        advice: 'Set ssl = on with a certificate there, and sslmode=verify-full in the URL.',
      },
    ]
  }
  const isVerified = looks.every(({ connection }) => connection.tls.startsWith('verify-'))
  if (far.length === 0 || isVerified) return []
  return [
    {
      id: 'tls-unverified',
      state: 'ok',
      sentence: 'The way to the servers is encrypted, but nobody checks that they are the right ones.',
      advice: 'sslmode=verify-full in the URL, with sslrootcert naming the file of their authority, checks it.',
    },
  ]
}

/** A socket, or an address that never leaves this PC. */
function isThisPc(host: string): boolean {
  if (host.startsWith('/') || host === 'localhost') return true
  return net.isIPv4(host) ? host.startsWith('127.') : host === '::1'
}
