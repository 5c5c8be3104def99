/** For machines: is it alive, is it ready, and the numbers for monitoring. */
import type { FastifyInstance } from 'fastify'
import type { Registry } from 'prom-client'
import { isHere } from './caller.ts'
import type { Gate } from './gate.ts'
import type { Health } from './health.ts'
import { refusal } from './problem.ts'
import type { Setup } from './setup.ts'

/** Serves `/health/live`, `/health/ready` (open, one word each) and `/metrics` (this PC, or who is signed in). */
export function serveProbes(
  app: FastifyInstance,
  parts: { gate: Gate; setup: Setup; metrics: Registry; health: () => Health | undefined },
): void {
  app.get('/health/live', (_request, reply) =>
    reply.type('text/plain').header('cache-control', 'no-store').send('live\n'),
  )
  app.get('/health/ready', (_request, reply) => {
    const isReady = parts.setup.stage === 'ready' && parts.health()?.report.state !== 'bad'
    return reply
      .code(isReady ? 200 : 503)
      .type('text/plain')
      .header('cache-control', 'no-store')
      .send(isReady ? 'ready\n' : `${parts.setup.stage === 'ready' ? 'not well' : parts.setup.stage}\n`)
  })
  app.get('/metrics', async (request, reply) => {
    if (!isHere(request, request.origin) && !(await parts.gate.recognise(request))) {
      throw refusal('not-signed-in', 'These numbers are for this PC itself, or for a script with a token.')
    }
    return reply
      .type(parts.metrics.contentType)
      .header('cache-control', 'no-store')
      .send(await parts.metrics.metrics())
  })
}
