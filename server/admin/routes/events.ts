import type { RouteParts } from '../admin.ts'
import { followEvents } from '../contract/events.ts'
import type { Desk } from '../serve.ts'

export function eventRoutes(desk: Desk, { events, streams }: RouteParts): void {
  desk.serveRaw(followEvents, ({ request, reply }) => events.follow(streams, request, reply))
}
