import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Route, RouteFlags } from './directory.ts'

/** A route as it travels: the node that says it is known from the link or the key. */
export interface WireRoute {
  readonly jid: string
  readonly session: string
  readonly boundAt: number
  readonly priority?: number
  /** XML. */
  readonly presence?: string
  readonly flags: RouteFlags
}

const wireRoute = Type.Object({
  jid: Type.String(),
  session: Type.String(),
  boundAt: Type.Number(),
  priority: Type.Optional(Type.Number()),
  presence: Type.Optional(Type.String()),
  flags: Type.Object({}),
})

export function toWire({ jid, session, boundAt, priority, presence, flags }: Route): WireRoute {
  return {
    jid,
    session,
    boundAt,
    flags,
    ...(priority !== undefined && { priority }),
    ...(presence && { presence: presence.toString() }),
  }
}

/** @returns undefined when it is no route: another version, or a map that others write to */
export function fromWire(node: string, wire: unknown): Route | undefined {
  if (!Value.Check(wireRoute, wire)) return undefined
  const slash = wire.jid.indexOf('/')
  if (slash < 1) return undefined
  return {
    jid: wire.jid,
    bare: wire.jid.slice(0, slash),
    resource: wire.jid.slice(slash + 1),
    node,
    session: wire.session,
    boundAt: wire.boundAt,
    priority: wire.priority,
    presence: wire.presence === undefined ? undefined : Buffer.from(wire.presence),
    flags: wire.flags,
  }
}

/** Whether others see any difference between two states of one session. */
export function looksSame(one: Route, other: Route): boolean {
  return (
    one.session === other.session &&
    one.priority === other.priority &&
    (one.presence?.toString() ?? '') === (other.presence?.toString() ?? '')
  )
}
