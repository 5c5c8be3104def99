/** What the pages say of each PC, in sentences: put together from what it tells of itself, what its links are like, and the registry. */
import type { Node, NodeLink } from '../admin/contract/nodes.ts'
import { timeOf } from '../admin/words.ts'
import type { Peer } from '../cluster/mesh.ts'
import type { KnownNode } from '../cluster/node.ts'
import type { RegisteredNode } from '../cluster/registry.ts'
import type { Heard } from './gossip.ts'
import type { NodeStatus } from './status.ts'

const SLOW_MS = 5
/** How a PC is that is paused. */
export const takenOut = 'Is taken out for maintenance: nobody logs in there.'

/** Everything that is known of one PC here. */
export interface NodeFacts {
  readonly node: KnownNode
  readonly registered: RegisteredNode | undefined
  /** Undefined for this PC itself. */
  readonly peer: Peer | undefined
  readonly heard: Heard | undefined
  /** The PC with the built-in database; undefined: the office uses its own servers. */
  readonly ownerName: string | undefined
  readonly settingsCounter: number
  readonly version: string
  readonly count: number
  readonly now: number
}

/** One PC as its panel shows it. */
export function viewOf(facts: NodeFacts): Node {
  const { node, peer, heard, ownerName, registered } = facts
  const isHere = peer === undefined
  const isThere = isHere || peer.state === 'up' || peer.state === 'suspected'
  const word = isThere ? heard?.word : undefined
  const state = stateOf(facts, word)
  const why = whyNotRemove(facts)
  const seenAt = isThere ? facts.now : (heard?.at ?? (registered ? facts.now - registered.unseenMs : undefined))
  return {
    ...(word ? told(word) : silent()),
    ...placeOf(node, ownerName),
    number: node.number,
    name: node.name,
    here: isHere,
    state,
    sentence: sentenceOf(facts, state, word),
    ...(seenAt !== undefined && { seenAt: new Date(seenAt).toISOString() }),
    settings: !word ? 'away' : word.settings < facts.settingsCounter ? 'away' : 'applied',
    canRemove: why === undefined,
    ...(why !== undefined && { whyNotRemove: why }),
  }
}

type Told = Omit<
  Node,
  'number' | 'name' | 'here' | 'state' | 'sentence' | 'settings' | 'canRemove' | 'database' | 'databaseOf'
>

function told(word: NodeStatus): Told {
  const { system, version, upSince, addresses, people, connections, routes, member } = word
  const { hazelcast, members, membersMissing, cpuPercent, memoryBytes, diskFreeBytes, diskBytes, links } = word
  return {
    system,
    version,
    upSince,
    addresses: [...addresses],
    people,
    connections,
    routes,
    member,
    ...(hazelcast !== undefined && { hazelcast }),
    ...(members && { members: members.slice(0, 64) }),
    ...(membersMissing && { membersMissing: membersMissing.slice(0, 64) }),
    cpuPercent,
    memoryBytes,
    diskFreeBytes,
    diskBytes,
    links: links.slice(0, 63),
  }
}

function silent(): Told {
  return { addresses: [], people: 0, connections: 0, routes: 0, member: 'off', links: [] }
}

/** What this PC knows itself counts: words of others may be of a moment ago. */
function placeOf(node: KnownNode, ownerName: string | undefined): Pick<Node, 'database' | 'databaseOf'> {
  if (ownerName === undefined) return { database: 'outside' }
  return ownerName === node.name ? { database: 'main' } : { database: 'through', databaseOf: ownerName }
}

function stateOf({ peer, registered }: NodeFacts, word: NodeStatus | undefined): Node['state'] {
  if (word) return word.state
  if (!peer || peer.state === 'up') return 'starting'
  if (peer.state === 'suspected') return 'away'
  return peer.state === 'gone' && !registered?.stopped ? 'away' : 'off'
}

function sentenceOf(facts: NodeFacts, state: Node['state'], word: NodeStatus | undefined): string {
  const { peer, registered, version, node } = facts
  switch (state) {
    case 'starting':
      return 'Is starting.'
    case 'paused':
      return takenOut
    case 'away':
    case 'off': {
      if (peer?.trouble !== undefined && peer.epoch === 0 && registered?.stopped === false) return peer.trouble
      const since = peer && peer.epoch > 0 ? peer.since : registered ? facts.now - registered.unseenMs : undefined
      const at = since === undefined ? '' : ` since ${timeOf(since, facts.now)}`
      if (state === 'away') return `Has not been heard of${at}.`
      return facts.ownerName === node.name ? `Is off${at}. The main database is on it.` : `Is off${at}.`
    }
    default:
      if (word && word.version !== version) {
        return isOlder(word.version, version)
          ? 'Works. Runs an older version and is to be updated next.'
          : 'Works. Runs a newer version than this PC.'
      }
      return 'Works.'
  }
}

function whyNotRemove({ node, count, ownerName }: NodeFacts): string | undefined {
  if (count <= 1) return 'It is the only PC of the office.'
  if (ownerName === node.name) return 'The main database is on it: move the data to another PC first.'
  return undefined
}

function isOlder(one: string, other: string): boolean {
  return one.localeCompare(other, 'en', { numeric: true }) < 0
}

/** How this PC sees the others. */
export function linksOf(peers: readonly Peer[]): NodeLink[] {
  return peers.map(peer => {
    const { roundTripMs, trouble } = peer
    const state = peer.state !== 'up' ? 'cut' : (roundTripMs ?? 0) > SLOW_MS ? 'slow' : 'good'
    return {
      to: peer.node.name,
      state,
      ...(roundTripMs !== undefined && peer.state === 'up' && { roundTripMs }),
      ...(trouble !== undefined && state === 'cut' && { trouble }),
    }
  })
}

/** “Three PCs carry the office.” @param nodes all of them */
export function officeSentence(nodes: readonly Node[]): string {
  const words = ['No', 'One', 'Two', 'Three', 'Four', 'Five', 'Six', 'Seven', 'Eight', 'Nine', 'Ten']
  const there = nodes.filter(({ state }) => state === 'on').length
  const out = nodes.filter(({ state }) => state !== 'on').map(({ name }) => name)
  const count = words[there] ?? String(there)
  const carry = `${count} ${there === 1 ? 'PC carries' : 'PCs carry'} the office.`
  if (out.length === 0) return carry
  return `${carry} ${out.slice(0, 3).join(', ')} ${out.length === 1 ? 'does' : 'do'} not take part at the moment.`
}
