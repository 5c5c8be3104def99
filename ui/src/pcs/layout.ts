/** Where the PCs stand on their map: a ring, as flat as it can be without two of them touching. Pure numbers, tested beside. */
import type { Node, NodeLink } from '../../../server/admin/contract/nodes.ts'

/** A place in pixels from the upper left corner of the map: the middle of a PC. */
export interface Spot {
  readonly x: number
  readonly y: number
}

/** The map of some PCs. */
export interface Ring {
  readonly height: number
  readonly card: { readonly width: number; readonly height: number }
  readonly spots: readonly Spot[]
}

const widest = 196
const tall = 96
const gapX = 28
const gapY = 34
const ringMax = 320
const step = 8
const rounds = 160

/** A ring of PCs in a width of so many pixels; the first stands at the top, or left of two. */
export function ringOf(count: number, width: number): Ring {
  const card = { width: Math.min(widest, Math.max(120, (width - gapX) / 2)), height: tall }
  const radius = Math.max(0, Math.min(ringMax, (width - card.width) / 2))
  for (let round = 0; round < rounds; round++) {
    const spots = ringSpots(count, { x: radius, y: round * step })
    if (!isFree(spots, card)) continue
    const height = Math.max(...spots.map(spot => spot.y)) - Math.min(...spots.map(spot => spot.y)) + card.height
    const top = Math.min(...spots.map(spot => spot.y)) - card.height / 2
    return { height, card, spots: spots.map(({ x, y }) => ({ x: x + width / 2, y: y - top })) }
  }
  // Narrower than any screen: one under the other.
  const spots = Array.from({ length: count }, (_, at) => ({
    x: width / 2,
    y: card.height / 2 + at * (card.height + gapY),
  }))
  return { height: count * (card.height + gapY) - gapY, card, spots }
}

function ringSpots(count: number, radius: Spot): Spot[] {
  if (count === 1) return [{ x: 0, y: 0 }]
  // Two lie side by side, four at the corners; all others begin at the top.
  const turn = count === 2 ? Math.PI : count === 4 ? (-3 * Math.PI) / 4 : -Math.PI / 2
  const wide = count === 4 ? Math.SQRT2 : 1
  return Array.from({ length: count }, (_, at) => {
    const angle = turn + (2 * Math.PI * at) / count
    const x = Math.cos(angle) * radius.x * wide
    return {
      x: count === 2 && radius.y > 0 ? 0 : x,
      y: count === 2 ? (at === 0 ? -radius.y : radius.y) : Math.sin(angle) * radius.y,
    }
  })
}

function isFree(spots: readonly Spot[], card: { width: number; height: number }): boolean {
  return spots.every((one, at) =>
    spots
      .slice(at + 1)
      .every(
        other =>
          Math.abs(one.x - other.x) >= card.width + (one.y === other.y ? 3 : 1) * gapX - 0.01 ||
          Math.abs(one.y - other.y) >= card.height + gapY,
      ),
  )
}

/** A line between two PCs, with the worse of what its two ends see. */
export interface Line {
  readonly one: string
  readonly other: string
  readonly state: NodeLink['state']
  readonly roundTripMs: number | undefined
  readonly trouble: string | undefined
}

const ranks = { good: 0, slow: 1, cut: 2 } as const

/** Every pair of PCs that both could be there, once. To one that is off there is no line: that it is off says it all. */
export function linesOf(nodes: readonly Pick<Node, 'name' | 'state' | 'links'>[]): Line[] {
  return nodes.flatMap((node, at) =>
    nodes.slice(at + 1).flatMap(other => {
      if (node.state === 'off' || other.state === 'off') return []
      const seen = [node.links.find(link => link.to === other.name), other.links.find(link => link.to === node.name)]
      const worst = seen.filter(link => link !== undefined).sort((a, b) => ranks[b.state] - ranks[a.state])[0]
      if (!worst) return []
      const { state, roundTripMs, trouble } = worst
      return [{ one: node.name, other: other.name, state, roundTripMs, trouble }]
    }),
  )
}
