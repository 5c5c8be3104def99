/** Looks at all servers of a database URL at once, and says what is wrong with them and between them. */
import { setTimeout as delay } from 'node:timers/promises'
import { connectionsOf, type DatabaseAddress } from '../address.ts'
import { DatabaseUrlFault, parseDatabaseUrl, spellingsOf } from '../url.ts'
import { findingsOf, summaryOf } from './findings.ts'
import type { HostLook } from './host-facts.ts'
import { rowOf } from './host-row.ts'
import type { Inspection } from './inspection.ts'
import { type AnsweredLook, endLook, lookAt, type OpenLook, readPosition, readReplayAge } from './look.ts'
import { chosenMain } from './looks.ts'

const HOST_MS = 5_000
const ALL_MS = 8_000
/** How often, and how long apart, a copy is asked whether it has what the main database had. */
const LAG_TRIES = 4
const LAG_WAIT_MS = 100

/**
 * Looks at every host of an address, all at once; nothing is changed there.
 * @param options.timeoutMs for everything together (8 s); a host has at most 5 s of it
 * @param options.signal ends the waiting for copies that are behind
 */
export async function inspect(
  address: DatabaseAddress,
  options: { signal?: AbortSignal; timeoutMs?: number } = {},
): Promise<Inspection> {
  const looks = await lookAtAll(address, options)
  const findings = findingsOf(looks, address)
  const hosts = looks.map(look => rowOf(look, looks))
  return { ...summaryOf(looks, findings), hosts, findings, spellings: spellingsOf(address) }
}

/** The looks at every host of an address, in its order. */
export async function lookAtAll(
  address: DatabaseAddress,
  { signal, timeoutMs = ALL_MS }: { signal?: AbortSignal; timeoutMs?: number } = {},
): Promise<HostLook[]> {
  const limitMs = Math.min(HOST_MS, timeoutMs)
  const looks = await Promise.all(connectionsOf(address).map(connection => lookAt(connection, limitMs)))
  try {
    const lags = AbortSignal.any([AbortSignal.timeout(Math.max(1, timeoutMs - limitMs)), ...(signal ? [signal] : [])])
    return await Promise.all(looks.map(look => withLag(look, looks, lags)))
  } finally {
    await Promise.all(looks.map(endLook))
  }
}

/**
 * Reads a URL in any spelling and looks at its hosts.
 * @returns what was found, with the URL in all spellings when it can be read; never throws for what people can mend
 */
export async function tryDatabase(text: string): Promise<Inspection> {
  try {
    const target = parseDatabaseUrl(text)
    if (target.kind === 'embedded')
      return { state: 'ok', sentence: 'The built-in database is used.', hosts: [], findings: [] }
    return await inspect(target.address)
  } catch (error) {
    if (!(error instanceof DatabaseUrlFault)) throw error
    const at = error.at === undefined ? {} : { at: error.at }
    return { state: 'bad', sentence: error.message, ...at, hosts: [], findings: [] }
  }
}

/** How far a copy is behind: nothing, when it has applied what its main database had written before it was asked. */
async function withLag(look: OpenLook, all: readonly OpenLook[], signal: AbortSignal): Promise<HostLook> {
  const { connection } = look
  if (!look.facts) return { connection, ...(look.fault && { fault: look.fault }) }
  const { facts, client } = look
  const chosen = chosenMain(all.filter(other => other.facts?.systemId === facts.systemId))
  const main = all.find((other): other is AnsweredLook => other.facts !== undefined && other.facts === chosen?.facts)
  if (!facts.isCopy || !main) return { connection, facts }
  try {
    const written = await readPosition(main, 'end')
    if (facts.isFollowing === false && (facts.position ?? 0) > written)
      return { connection, facts: { ...facts, isAhead: true } }
    for (let tries = 0; tries < LAG_TRIES; tries++) {
      if ((await readPosition(look, 'applied')) >= written) return { connection, facts: { ...facts, lagMs: 0 } }
      await delay(LAG_WAIT_MS, undefined, { signal })
    }
    return { connection, facts: { ...facts, lagMs: Math.max(1, await readReplayAge(client)) } }
  } catch {
    // One of the two went away meanwhile: how far apart they are is not known.
    return { connection, facts }
  }
}
