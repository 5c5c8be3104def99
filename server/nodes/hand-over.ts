/** The people of this PC go to others: before it stops, is started anew, or is taken out for maintenance. */
import type { HandedOver } from '../admin/contract/nodes.ts'
import type { Office } from '../office.ts'
import type { GossipWord } from './gossip.ts'
import type { OfficeCluster } from './office-cluster.ts'

/** A client that does not come back elsewhere must not hold a stop up. */
const LIMIT_MS = 8_000

const portOf = { tcp: 'c2s', tls: 'c2sTls', websocket: 'web' } as const

/**
 * Sends all clients away, to the PC with the fewest people, and takes no new ones. Resolves when their sessions are there, or the time is over.
 * @param options.always also with nobody to hand them to: this PC is taken out
 */
export async function handOver(cluster: OfficeCluster, options: { always?: boolean } = {}): Promise<HandedOver> {
  const streams = cluster.opened?.office.streams
  const isAlone = othersOf(cluster).length === 0
  if (!streams || streams.isDraining || (isAlone && !options.always)) return { moved: 0, left: 0 }
  cluster.isDraining = true
  const sent = new Map<string, number>()
  return streams.drain(
    kind => {
      if (kind === 'bosh') return undefined
      const load = (one: { name: string; word: GossipWord }): number => one.word.people + (sent.get(one.name) ?? 0)
      const [to] = othersOf(cluster).toSorted((a, b) => load(a) - load(b))
      const port = to?.word.ports?.[portOf[kind]]
      if (!to || port === undefined) return undefined
      sent.set(to.name, (sent.get(to.name) ?? 0) + 1)
      const host = hostOf(to.word.host ?? '')
      return kind === 'websocket' ? `wss://${host}:${port}/ws` : `${host}:${port}`
    },
    { limitMs: LIMIT_MS, isAlone },
  )
}

/** Nobody stays on this PC, nobody new comes. */
export async function sendAway(office: Office | undefined, cluster: OfficeCluster | undefined): Promise<HandedOver> {
  if (cluster) return handOver(cluster, { always: true })
  if (!office || office.streams.isDraining) return { moved: 0, left: 0 }
  return office.streams.drain(() => undefined, { isAlone: true })
}

/** People can log in on this PC again. */
export function takeBack(office: Office | undefined, cluster: OfficeCluster | undefined): void {
  office?.streams.resumeService()
  if (cluster) cluster.isDraining = false
}

/** PCs where people can log in now. */
function othersOf(cluster: OfficeCluster): { name: string; word: GossipWord }[] {
  return cluster.peers
    .filter(({ state }) => state === 'up')
    .flatMap(({ node }) => {
      const word = cluster.gossip.heard(node.name)?.word
      return word?.state === 'on' && word.host !== undefined ? [{ name: node.name, word }] : []
    })
}

/** 'host:5275' without its port. */
const hostOf = (address: string): string => address.replace(/:\d+$/, '')
