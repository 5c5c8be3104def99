/** What is wrong, or worth knowing, about the servers of one database URL together. Pure: from looks to sentences. */
import { type DatabaseAddress, placeOf } from '../address.ts'
import { replicationFindings } from './findings-replication.ts'
import { serverFindings } from './findings-server.ts'
import type { HostLook } from './host-facts.ts'
import type { Finding, Verdict } from './inspection.ts'
import { chosenMain, copiesOf, listed, mainsOf, quoted, reachedOf, timelineOf } from './looks.ts'

const FINDINGS_MAX = 32
const ranks: Record<Verdict, number> = { bad: 0, warn: 1, ok: 2 }

/** All findings, worst first. */
export function findingsOf(looks: readonly HostLook[], address: DatabaseAddress): Finding[] {
  const found = [
    ...roleFindings(looks, address),
    ...replicationFindings(looks, address),
    ...serverFindings(looks),
    ...reachFindings(looks),
  ]
  const worstFirst = found.sort((a, b) => ranks[a.state] - ranks[b.state]).slice(0, FINDINGS_MAX)
  return worstFirst.map((finding, index) => ({ ...finding, id: ownId(worstFirst, finding.id, index) }))
}

/** An id is there once: the same about a second server is “clock-2”. */
function ownId(findings: readonly Finding[], id: string, index: number): string {
  const before = findings.slice(0, index).filter(one => one.id === id).length
  return before === 0 ? id : `${id}-${before + 1}`
}

/** The whole in a word and a sentence. */
export function summaryOf(
  looks: readonly HostLook[],
  findings: readonly Finding[],
): { state: Verdict; sentence: string } {
  const [worst] = findings
  if (worst?.state === 'bad') return { state: 'bad', sentence: worst.sentence }
  const main = chosenMain(looks)
  if (!main) return { state: 'bad', sentence: 'There is no main database to write to.' }
  const copies = copiesOf(looks).map(({ place }) => place)
  const beside = copies.length === 0 ? '' : `, with ${copies.length === 1 ? 'a copy' : 'copies'} at ${listed(copies)}`
  const usable = `The main database at ${main.place} (PostgreSQL ${main.facts.version}${beside}) can be used`
  const warnings = findings.filter(({ state }) => state === 'warn').length
  if (warnings === 0) return { state: 'ok', sentence: `${usable}.` }
  const things = warnings === 1 ? 'one thing deserves' : `${warnings} things deserve`
  return { state: 'warn', sentence: `${usable}, but ${things} your attention.` }
}

/** Which server is what, and whether one of them can be written to. */
function roleFindings(looks: readonly HostLook[], { targetSessionAttrs: attrs }: DatabaseAddress): Finding[] {
  const reached = reachedOf(looks)
  const findings: Finding[] = []
  if (attrs === 'read-only' || attrs === 'standby' || attrs === 'prefer-standby') {
    findings.push({
      id: 'attrs',
      state: 'bad',
      sentence: `The URL asks for a copy that can only be read (target_session_attrs=${attrs}), but Lanthorn has to write.`,
      advice: 'Write target_session_attrs=read-write, or leave it out: Lanthorn finds the main database by itself.',
    })
  }
  findings.push(...clusterFindings(looks))
  if (reached.length > 0 && mainsOf(looks).length === 0) {
    const isOne = reached.length === 1
    findings.push({
      id: 'no-primary',
      state: 'bad',
      sentence: isOne
        ? `${reached[0]?.place} is a copy that can only be read; the main database is not there.`
        : `${listed(reached.map(({ place }) => place))} are copies that can only be read: none of them is the main database.`,
      advice:
        reached.length < looks.length
          ? 'The main database may be the server that does not answer. Start it, or make a copy the main database (repmgr standby promote, or pg_promote()).'
          : 'Add the host of the main database to the URL, or make a copy the main database (repmgr standby promote, or pg_promote()).',
    })
  }
  return findings
}

function clusterFindings(looks: readonly HostLook[]): Finding[] {
  const reached = reachedOf(looks).filter(({ facts }) => facts.systemId !== undefined)
  const ids = new Set(reached.map(({ facts }) => facts.systemId))
  if (ids.size > 1) {
    const groups = [...ids].map(id => reached.filter(({ facts }) => facts.systemId === id).map(({ place }) => place))
    return [
      {
        id: 'different-clusters',
        state: 'bad',
        sentence: `${listed(groups.map(listed))} carry different data: what is written to one never reaches the other.`,
        advice:
          'Make one a copy of the other (repmgr standby clone, or pg_basebackup), or name only those that belong together.',
      },
    ]
  }
  return twoPrimaries(looks)
}

function twoPrimaries(looks: readonly HostLook[]): Finding[] {
  const mains = mainsOf(looks)
  const main = chosenMain(looks)
  if (!main || mains.length < 2) return []
  const others = mains.filter(({ place }) => place !== main.place)
  const places = listed(mains.map(({ place }) => place))
  const isTied = others.some(other => timelineOf(other) === timelineOf(main))
  if (isTied) {
    return [
      {
        id: 'two-primaries',
        state: 'bad',
        sentence: `${places} both call themselves the main database, and nothing tells which one is right.`,
        advice:
          'Find out which one has the newest data, stop the other, and make it a copy again (repmgr node rejoin, or pg_rewind).',
      },
    ]
  }
  const stale = listed(others.map(({ place }) => place))
  const timelines = mains.map(one => `${one.place}: ${timelineOf(one)}`).join(', ')
  return [
    {
      id: 'two-primaries',
      state: 'warn',
      sentence: `${places} both call themselves the main database. ${main.place} has taken over (newer timeline), so Lanthorn uses it and never ${stale}; other programs may still write there.`,
      advice: `Stop PostgreSQL at ${stale} and make it a copy of ${main.place} again: repmgr node rejoin --force-rewind, or pg_rewind, or a new clone. Timelines: ${timelines}.`,
    },
  ]
}

/** Servers that do not answer, and those that do not let this PC in. */
function reachFindings(looks: readonly HostLook[]): Finding[] {
  const dark = looks.filter(({ facts }) => !facts)
  if (dark.length === 0) return []
  const places = listed(dark.map(({ connection }) => placeOf(connection)))
  const isAll = dark.length === looks.length
  const findings: Finding[] = [
    isAll && dark.length === 1
      ? { id: 'unreachable', state: 'bad', sentence: dark[0]?.fault?.sentence ?? `${places} did not answer.` }
      : {
          id: 'unreachable',
          state: isAll ? 'bad' : 'warn',
          sentence: isAll
            ? `None of the servers can be used: ${dark[0]?.fault?.sentence ?? ''}`.trim()
            : `${places} cannot be used at the moment, so nothing can take over from the others there.`,
        },
  ]
  const refused = dark.find(({ fault }) => fault?.refusedAddress !== undefined)
  if (refused) {
    const { user, database } = refused.connection
    const address = refused.fault?.refusedAddress ?? ''
    const mask = address.includes(':') ? 128 : 32
    findings.push({
      id: 'not-allowed',
      state: isAll ? 'bad' : 'warn',
      sentence: `${placeOf(refused.connection)} does not let this PC in: its list of who may come (pg_hba.conf) does not name ${address}.`,
      advice: `Add to pg_hba.conf there, then reload PostgreSQL (SELECT pg_reload_conf()):\nhost ${quoted(database)} ${quoted(user)} ${address}/${mask} scram-sha-256`,
    })
  }
  return findings
}
