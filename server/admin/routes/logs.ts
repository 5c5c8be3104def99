import type { RouteParts } from '../admin.ts'
import { followLog, listHistory, listLog } from '../contract/logs.ts'
import { frame } from '../events.ts'
import type { Desk } from '../serve.ts'

const HISTORY_DEFAULT = 50
const LOG_DEFAULT = 200

export function logRoutes(desk: Desk, { office, logLines, streams }: RouteParts): void {
  desk.serve(listLog, ({ query }) => ({ entries: logLines.last(query, query.limit ?? LOG_DEFAULT) }))

  desk.serveRaw(followLog, ({ query, request, reply }) => {
    let stop = (): void => undefined
    const stream = streams.open(request, reply, () => stop())
    // EventSource says by itself what it had last when it connects again.
    const last = Number(request.headers['last-event-id'] ?? query.after)
    if (Number.isSafeInteger(last)) {
      for (const line of logLines.after(last, query)) stream.write(frame('log', line, line.id))
    }
    stop = logLines.follow(query, line => {
      stream.write(frame('log', line, line.id))
    })
  })

  desk.serve(listHistory, ({ query }) => {
    const { text, before, limit = HISTORY_DEFAULT } = query
    return office().history.list({ text, before, limit })
  })
}
