/** Where the PCs stand on their map: a ring, as flat as it can be without two of them touching. Pure numbers, tested beside. */
import type { Node, NodeLink } from '../../../server/admin/contract/nodes.ts'

/** A place in pixels from the upper left corner of the map: the middle of a PC. */
export interface Spot {
  readonly x: number
  readonly y: number
}

/** The map of some PCs. */
export interface Ring {
  /** Two columns where no ring fits: lines between them would cover each other. */
  readonly isRing: boolean
  readonly height: number
  readonly card: { readonly width: number; readonly height: number }
  readonly spots: readonly Spot[]
}

/** Widths of a PC that are tried, the largest first. */
const widths = [196, 176, 156, 140, 124]
const ringMax = 300
/** Narrower maps give up room beside the PCs. */
const phone = 420
const step = 6

/** How much room lines and labels need between the PCs, and how tall a ring may be: the more PCs, the closer they stand. */
function spacingOf(count: number, width: number) {
  if (count <= 3 && width < phone) return { tall: 96, side: 14, above: 62, most: 380 }
  if (count <= 3) return { tall: 96, side: 92, above: 78, most: 380 }
  if (count <= 5) return { tall: 92, side: 44, above: 52, most: 440 }
  return { tall: 88, side: 18, above: 18, most: 620 }
}

/** A ring of PCs in a width of so many pixels; the first stands at the top, or left of two. Where no ring fits, two columns. */
export function ringOf(count: number, width: number): Ring {
  const { tall: height, side, above, most } = spacingOf(count, width)
  for (const one of widths) {
    const card = { width: Math.min(one, width), height }
    const radius = Math.max(0, Math.min(ringMax, (width - card.width) / 2))
    for (let y = 0; 2 * y + height <= most; y += step) {
      const spots = ringSpots(count, { x: radius, y })
      if (isFree(spots, card, { side, above })) return { isRing: true, ...placed(spots, card, width) }
    }
  }
  const card = { width: Math.min(196, (width - 24) / 2), height }
  const columns = Array.from({ length: count }, (_, at) => ({
    x: (at % 2 === 0 ? -1 : 1) * (card.width / 2 + 12),
    y: Math.floor(at / 2) * (height + 34),
  }))
  return { isRing: false, ...placed(columns, card, width) }
}

/** The same spots, counted from the upper left corner of the map. */
function placed(spots: readonly Spot[], card: Ring['card'], width: number): Omit<Ring, 'isRing'> {
  const top = Math.min(...spots.map(spot => spot.y)) - card.height / 2
  const bottom = Math.max(...spots.map(spot => spot.y)) + card.height / 2
  return { height: bottom - top, card, spots: spots.map(({ x, y }) => ({ x: x + width / 2, y: y - top })) }
}

function ringSpots(count: number, radius: Spot): Spot[] {
  if (count === 1) return [{ x: 0, y: 0 }]
  // Two lie side by side, on a narrow screen one above the other.
  if (count === 2 && radius.y > 0)
    return [
      { x: 0, y: -radius.y },
      { x: 0, y: radius.y },
    ]
  // Four stand at the corners; all others begin at the top.
  const turn = count === 2 ? Math.PI : count === 4 ? (-3 * Math.PI) / 4 : -Math.PI / 2
  const stretch = count === 4 ? Math.SQRT2 : 1
  return Array.from({ length: count }, (_, at) => {
    const angle = turn + (2 * Math.PI * at) / count
    return { x: Math.cos(angle) * radius.x * stretch, y: Math.sin(angle) * radius.y * stretch }
  })
}

function isFree(spots: readonly Spot[], card: Ring['card'], room: { side: number; above: number }): boolean {
  const isApart = (one: Spot, other: Spot): boolean =>
    Math.abs(one.x - other.x) >= card.width + room.side - 0.01 || Math.abs(one.y - other.y) >= card.height + room.above
  return spots.every((one, at) => spots.slice(at + 1).every(other => isApart(one, other)))
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
