/** Health checks among the PCs: who is off, who cannot see whom, and what differs between them. */
import type { Node, NodeLink } from './contract/nodes.ts'
import type { Check, CheckResult, NodesDesk } from './parts.ts'

const CLOCK_MS = 2_000
/** How long it is told that a PC was removed. */
const REMOVED_MS = 30 * 24 * 60 * 60_000
/** A line that takes longer is felt by people; what the map calls slow (5 ms) is not yet. */
const SLOW_MS = 50
const page = { label: 'Open the PCs page', page: '/pcs' }

/**
 * Each says nothing where it does not apply: most of them with one PC.
 * @param clocks how far the clocks of the others are ahead of this one, in milliseconds
 */
export function nodeChecks(
  desk: NodesDesk,
  clocks: () => Promise<readonly { name: string; aheadMs: number }[]>,
  now: () => number,
): Check[] {
  return [
    aloneCheck(desk),
    offCheck(desk),
    linkCheck(desk),
    versionCheck(desk),
    memberCheck(desk),
    clockCheck(clocks),
    removedCheck(desk, now),
  ]
}

const isThere = ({ state }: Node): boolean => state === 'on' || state === 'paused' || state === 'starting'
const many = (desk: NodesDesk): boolean => desk.nodes.length > 1

function aloneCheck(desk: NodesDesk): Check {
  return {
    id: 'pcs-alone',
    group: 'pcs',
    why: 'With two PCs chat goes on when one of them is switched off, and no message is lost.',
    run: () => {
      if (!desk.enabled || many(desk)) return undefined
      const mend = { label: 'Add a second PC', page: '/pcs' }
      return { state: 'ok', sentence: 'Only one PC carries the office: while it is off, nobody can chat.', mend }
    },
  }
}

function offCheck(desk: NodesDesk): Check {
  return {
    id: 'pcs-off',
    group: 'pcs',
    why: 'The others carry its people meanwhile. When too few PCs are left, the next fault stops the chat.',
    run: () => standingOfPcs(desk),
  }
}

/** Whether all PCs are there; undefined while one PC carries the office alone, and works. */
export function standingOfPcs(desk: NodesDesk): CheckResult | undefined {
  const missing = desk.nodes.filter(node => node.state === 'off' || node.state === 'away')
  const paused = desk.nodes.filter(node => node.state === 'paused')
  const isOff = missing.map(one => missingSentence(desk, one))
  const isOut = `${names(paused)} ${are(paused)} out for maintenance.`
  if (paused.length > 0 && paused.length + missing.length === desk.nodes.length)
    return { state: 'bad', sentence: [`Nobody can log in: ${isOut}`, ...isOff].join(' '), mend: page }
  if (!many(desk)) return undefined
  if (missing.length > 0) return { state: 'warn', sentence: isOff.join(' '), mend: page }
  if (paused.length > 0) return { state: 'ok', sentence: isOut, mend: page }
  return { state: 'ok', sentence: `All ${desk.nodes.length} PCs are there.` }
}

/** Off is what its PC says or the others know; away may be a running PC that nobody reaches. */
function missingSentence(desk: NodesDesk, node: Node): string {
  const { name, sentence } = node
  const own = sentence.startsWith(name) ? sentence : `${name}: ${sentence}`
  if (node.state === 'off') return own
  const trouble = desk.nodes.flatMap(other => other.links).find(link => link.to === name && link.trouble)?.trouble
  const port = desk.clusterPort === undefined ? '' : ` on port ${desk.clusterPort}`
  if (trouble) return `${name} runs but cannot be reached${port}: ${trouble}`
  return own
}

function linkCheck(desk: NodesDesk): Check {
  return {
    id: 'pcs-links',
    group: 'pcs',
    why: 'Each message between people on two PCs takes the line between them. While it is cut, they do not reach each other.',
    run: (): CheckResult | undefined => {
      const there = desk.nodes.filter(isThere)
      if (there.length < 2) return undefined
      const pairs = pairsOf(there)
      const cut = pairs.filter(({ link }) => link.state === 'cut')
      if (cut.length > 0) {
        const lines = cut.flatMap(({ one, other, link }) =>
          link.trouble ? [`${one} – ${other}: ${link.trouble}`] : [],
        )
        return {
          state: 'bad',
          sentence: cut.map(({ one, other }) => `${one} and ${other} cannot reach each other.`).join(' '),
          ...(lines.length > 0 && { lines: lines.slice(0, 20) }),
          mend: page,
        }
      }
      const slow = pairs.filter(({ link }) => (link.roundTripMs ?? 0) > SLOW_MS)
      if (slow.length > 0) {
        const each = slow.map(({ one, other, link }) => `${one} – ${other}${spent(link)}`).join(', ')
        return { state: 'warn', sentence: `The line is slow: ${each}. A cable is better than Wi-Fi here.`, mend: page }
      }
      const slowest = Math.max(...pairs.map(({ link }) => link.roundTripMs ?? 0))
      return { state: 'ok', sentence: `All PCs reach each other${slowest > 0 ? ` within ${readable(slowest)}` : ''}.` }
    },
  }
}

/** Every pair once, with the worse of what its two ends see. */
export function pairsOf(nodes: readonly Node[]): { one: string; other: string; link: NodeLink }[] {
  const ranks = { good: 0, slow: 1, cut: 2 }
  return nodes.flatMap((node, index) =>
    nodes.slice(index + 1).flatMap(other => {
      const seen = [node.links.find(link => link.to === other.name), other.links.find(link => link.to === node.name)]
      const link = seen.filter(one => one !== undefined).sort((a, b) => ranks[b.state] - ranks[a.state])[0]
      return link ? [{ one: node.name, other: other.name, link }] : []
    }),
  )
}

function versionCheck(desk: NodesDesk): Check {
  return {
    id: 'pcs-versions',
    group: 'pcs',
    why: 'Two versions next to each other work together. The older PC lacks what the newer one brings until it is updated.',
    run: () => {
      const known = desk.nodes.filter(node => node.version !== undefined)
      if (!many(desk) || known.length < 2) return undefined
      const versions = [...new Set(known.map(node => node.version ?? ''))].sort()
      if (versions.length === 1) return { state: 'ok', sentence: `All PCs run version ${versions[0]}.` }
      const each = versions.map(version => `${version} on ${names(known.filter(node => node.version === version))}`)
      return { state: 'warn', sentence: `The PCs run different versions: ${each.join('; ')}. Update the older ones.` }
    },
  }
}

function memberCheck(desk: NodesDesk): Check {
  return {
    id: 'pcs-members',
    group: 'pcs',
    why: 'Hazelcast is the second way by which the PCs know of each other and of who is connected. Without it they rely on the direct lines alone.',
    run: () => {
      if (!many(desk)) return undefined
      const there = desk.nodes.filter(isThere)
      const off = there.filter(node => node.member === 'off')
      const apart = there.filter(node => node.member === 'apart')
      if (off.length === there.length) {
        const sentence =
          'Hazelcast runs on none of the PCs: they know of each other by the direct lines alone. With Java 17 or newer there is a second way.'
        return { state: 'ok', sentence }
      }
      if (off.length > 0) {
        const sentence = `Hazelcast does not run on ${names(off)}: chat works over the direct lines. It needs Java 17 or newer there.`
        return { state: 'warn', sentence }
      }
      if (apart.length > 0) {
        const sentence = `Hazelcast on ${names(apart)} is of another generation and keeps apart until all PCs are updated.`
        return { state: 'warn', sentence }
      }
      const split = there.filter(({ membersMissing }) => membersMissing?.length)
      if (split.length > 0) {
        const each = split.map(({ name, membersMissing = [] }) => `${name} does not see ${inWords(membersMissing)}`)
        return {
          state: 'warn',
          sentence: `Hazelcast has split: ${each.join('; ')}. Chat works over the direct lines. If it does not heal, restart chat on one of them.`,
          lines: there.map(({ name, members = [] }) => `${name} sees ${inWords(members)}`).slice(0, 20),
          mend: page,
        }
      }
      if (there.some(node => node.member === 'starting')) return { state: 'ok', sentence: 'Hazelcast starts.' }
      return { state: 'ok', sentence: 'Hazelcast runs on every PC that is there, and each sees the others.' }
    },
  }
}

function clockCheck(clocks: () => Promise<readonly { name: string; aheadMs: number }[]>): Check {
  return {
    id: 'pcs-clocks',
    group: 'pcs',
    why: 'Messages carry the time of the PC they went through: with clocks apart they stand in the wrong order.',
    run: async () => {
      const all = await clocks()
      if (all.length === 0) return undefined
      const apart = all.filter(one => Math.abs(one.aheadMs) >= CLOCK_MS)
      if (apart.length === 0) return { state: 'ok', sentence: 'The clocks of all PCs agree.' }
      const each = apart.map(({ name, aheadMs }) => {
        const seconds = Math.round(Math.abs(aheadMs) / 1000)
        return `${name} is ${seconds} seconds ${aheadMs > 0 ? 'ahead' : 'behind'}`
      })
      return { state: 'warn', sentence: `The clocks differ: ${each.join(', ')}. Let all PCs follow a time server.` }
    },
  }
}

/** Removing a PC shuts it out; what it has learned of the office it keeps. */
function removedCheck(desk: NodesDesk, now: () => number): Check {
  return {
    id: 'pcs-removed',
    group: 'pcs',
    why: 'A removed PC is let in nowhere any more, but its disk still holds what all PCs of an office share. The README says what that is (More PCs).',
    run: () => {
      const latest = desk.removed.filter(({ at }) => now() - at < REMOVED_MS)
      if (latest.length === 0) return undefined
      const isOutside = desk.nodes.some(({ database }) => database === 'outside')
      const password = isOutside ? 'change the password of your database servers, and ' : ''
      const it = latest.length === 1 ? 'it' : 'one of them'
      return {
        state: 'ok',
        sentence: `${names(latest)} ${latest.length === 1 ? 'was' : 'were'} removed. If ${it} was lost or stolen, ${password}let people’s devices no longer trust the office’s own authority, whose key is on it.`,
      }
    },
  }
}

const names = (nodes: readonly { readonly name: string }[]): string => inWords(nodes.map(node => node.name))
const inWords = (all: readonly string[]): string =>
  all.length < 3 ? all.join(' and ') : `${all.slice(0, -1).join(', ')} and ${all.at(-1)}`
const are = (nodes: readonly unknown[]): string => (nodes.length === 1 ? 'is' : 'are')
const readable = (milliseconds: number): string =>
  `${milliseconds < 10 ? Math.max(0.1, Math.round(milliseconds * 10) / 10) : Math.round(milliseconds)} ms`
const spent = ({ roundTripMs }: NodeLink): string =>
  roundTripMs === undefined ? '' : ` takes ${readable(roundTripMs)}`
