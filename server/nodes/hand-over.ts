/** The people of this PC go to others: before it stops, is started anew, or is taken out for maintenance. */
import type { OfficeCluster } from './office-cluster.ts'

/** A client that does not come back elsewhere must not hold a stop up. */
const LIMIT_MS = 8_000

const portOf = { tcp: 'c2s', tls: 'c2sTls', websocket: 'web' } as const

/**
 * Sends all clients away, to the PC with the fewest people, and takes no new ones. Resolves when their sessions are there, or the time is over.
 * With nobody to hand them to, nothing happens.
 */
export async function handOver(cluster: OfficeCluster): Promise<{ moved: number; left: number }> {
  const streams = cluster.opened?.office.streams
  const nothing = { moved: 0, left: 0 }
  if (!streams || streams.isDraining) return nothing
  const others = cluster.peers
    .filter(({ state }) => state === 'up')
    .flatMap(({ node }) => {
      const word = cluster.gossip.heard(node.name)?.word
      return word?.state === 'on' && word.host !== undefined ? [{ word, sent: 0 }] : []
    })
  if (others.length === 0) return nothing
  cluster.isDraining = true
  const least = () => others.reduce((a, b) => (a.word.people + a.sent <= b.word.people + b.sent ? a : b))
  return streams.drain(
    kind => {
      if (kind === 'bosh') return undefined
      const to = least()
      const port = to.word.ports?.[portOf[kind]]
      if (port === undefined) return undefined
      to.sent++
      const host = hostOf(to.word.host ?? '')
      return kind === 'websocket' ? `wss://${host}:${port}/ws` : `${host}:${port}`
    },
    { limitMs: LIMIT_MS },
  )
}

/** 'host:5275' without its port. */
const hostOf = (address: string): string => address.replace(/:\d+$/, '')
