/** For machines: is it alive, is it ready, and the numbers for monitoring. */
import type { FastifyInstance } from 'fastify'
import type { Registry } from 'prom-client'
import { isHere } from './caller.ts'
import type { Gate } from './gate.ts'
import { refusal } from './problem.ts'
import type { Setup } from './setup.ts'

/** Serves `/health/live`, `/health/ready` (open, a word or two: can people sign in?) and `/metrics` (this PC, or who is signed in). */
export function serveProbes(
  app: FastifyInstance,
  parts: { gate: Gate; setup: Setup; metrics: Registry; isDatabaseUp: () => boolean },
): void {
  app.get('/health/live', (_request, reply) =>
    reply.type('text/plain').header('cache-control', 'no-store').send('live\n'),
  )
  app.get('/health/ready', (_request, reply) => {
    const { stage } = parts.setup
    const isReady = stage === 'ready' && parts.isDatabaseUp()
    return reply
      .code(isReady ? 200 : 503)
      .type('text/plain')
      .header('cache-control', 'no-store')
      .send(isReady ? 'ready\n' : `${stage === 'ready' ? 'database away' : stage}\n`)
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
