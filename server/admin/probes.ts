/** For machines: is it alive, is it ready, and the numbers for monitoring. */
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Registry } from 'prom-client'
import { isHere } from './caller.ts'
import type { Gate, Stage } from './gate.ts'
import { refusal } from './problem.ts'
import type { Setup } from './setup.ts'

const NOT_OPEN: Record<Exclude<Stage, 'ready'>, string> = {
  starting: 'The office is being opened.',
  fresh: 'Chat is not set up on this PC yet.',
  making: 'The office is being made.',
}

/** Answers whether people can sign in here: 200, or 503 with the sentence why not. */
export function sendReadiness(reply: FastifyReply, why: string | undefined): FastifyReply {
  return reply
    .code(why === undefined ? 200 : 503)
    .type('text/plain; charset=utf-8')
    .header('cache-control', 'no-store')
    .send(`${why ?? 'ready'}\n`)
}

/** Answers that the process is alive. */
export function sendAlive(reply: FastifyReply): FastifyReply {
  return reply.type('text/plain; charset=utf-8').header('cache-control', 'no-store').send('live\n')
}

/** Serves `/health/live`, `/health/ready` (open, a word or two: can people sign in?) and `/metrics` (this PC, or who is signed in). */
export function serveProbes(
  app: FastifyInstance,
  parts: { gate: Gate; setup: Setup; metrics: Registry; notReady: () => string | undefined },
): void {
  app.get('/health/live', (_request, reply) => sendAlive(reply))
  app.get('/health/ready', (_request, reply) => {
    const { stage } = parts.setup
    return sendReadiness(reply, stage === 'ready' ? parts.notReady() : NOT_OPEN[stage])
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
