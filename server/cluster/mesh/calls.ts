/** Questions to other nodes and their answers, as frames of the channel. */
import type { Logger } from 'pino'
import { CallFault, type Peer } from '../mesh.ts'
import { kind } from './frames.ts'
import { readJson, whole } from './hello.ts'
import type { MeshLimits } from './timings.ts'

interface Pending {
  readonly peer: Peer
  readonly resolve: (body: unknown) => void
  readonly reject: (fault: CallFault) => void
}

export type CallHandler = (body: unknown, from: Peer) => unknown

type Send = (peer: Peer, frameKind: number, payload: Buffer, reserve?: 'reserve') => 'queued' | 'full' | 'gone'

const reasons = ['refused', 'unknown'] as const

export class Calls {
  readonly #handlers = new Map<string, CallHandler>()
  readonly #pending = new Map<number, Pending>()
  readonly #waiting = new Map<Peer, number>()
  readonly #running = new Map<Peer, number>()
  readonly #limits: MeshLimits
  readonly #log: Logger
  readonly #send: Send
  #last = 0

  constructor(limits: MeshLimits, log: Logger, send: Send) {
    this.#limits = limits
    this.#log = log
    this.#send = send
  }

  /** Answers a method from now on. @returns ends that. @throws Error when somebody answers it already */
  on(method: string, handler: CallHandler): () => void {
    if (this.#handlers.has(method)) throw new Error(`“${method}” is answered already`)
    this.#handlers.set(method, handler)
    return () => {
      if (this.#handlers.get(method) === handler) this.#handlers.delete(method)
    }
  }

  /** @throws CallFault */
  call(peer: Peer, method: string, body: unknown, timeoutMs: number): Promise<unknown> {
    const { name } = peer.node
    const waiting = this.#waiting.get(peer) ?? 0
    if (waiting >= this.#limits.callsWaiting)
      return Promise.reject(new CallFault('late', `${name} has ${waiting} questions to answer already.`))
    const id = ++this.#last
    const payload = Buffer.from(JSON.stringify({ id, method, body }))
    const sent = payload.length > this.#limits.frameBytes ? 'long' : this.#send(peer, kind.call, payload)
    if (sent === 'long') return Promise.reject(new CallFault('refused', 'The question is too long for a link.'))
    if (sent === 'gone') return Promise.reject(new CallFault('away', `${name} is not connected.`))
    if (sent === 'full') return Promise.reject(new CallFault('late', `Too much waits for ${name} already.`))
    this.#waiting.set(peer, waiting + 1)
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => {
        this.#take(id, peer)?.reject(new CallFault('late', `${name} did not answer within ${timeoutMs / 1_000} s.`))
      }, timeoutMs)
      const end = () => clearTimeout(limit)
      this.#pending.set(id, {
        peer,
        resolve: answer => {
          end()
          resolve(answer)
        },
        reject: fault => {
          end()
          reject(fault)
        },
      })
    })
  }

  /** Nobody is there to answer any more. */
  gone(peer: Peer): void {
    const fault = `${peer.node.name} went away before it answered.`
    for (const [id, pending] of this.#pending)
      if (pending.peer === peer) this.#take(id, peer)?.reject(new CallFault('away', fault))
  }

  /** A frame of kind `call` or `reply`. @param isCurrent whether its answer still belongs to the same channel */
  frame(peer: Peer, frameKind: number, payload: Buffer, isCurrent: () => boolean): void {
    const said = readJson(payload)
    const id = whole(said?.id)
    if (said === undefined || id === undefined) return
    if (frameKind === kind.reply) this.#answered(peer, id, said)
    else void this.#serve(peer, id, said, isCurrent)
  }

  #answered(peer: Peer, id: number, said: Record<string, unknown>): void {
    const pending = this.#take(id, peer)
    if (!pending) return
    if (said.fault === undefined) {
      pending.resolve(said.body)
      return
    }
    const reason = reasons.find(known => known === said.fault) ?? 'refused'
    pending.reject(new CallFault(reason, typeof said.sentence === 'string' ? said.sentence : 'It gives no reason.'))
  }

  async #serve(peer: Peer, id: number, said: Record<string, unknown>, isCurrent: () => boolean): Promise<void> {
    const reply = (answer: object): void => {
      if (!isCurrent()) return
      let payload = Buffer.from(JSON.stringify({ id, ...answer }))
      if (payload.length > this.#limits.frameBytes)
        payload = Buffer.from(JSON.stringify({ id, fault: 'refused', sentence: 'The answer is too long for a link.' }))
      if (this.#send(peer, kind.reply, payload, 'reserve') === 'full')
        this.#log.warn({ node: peer.node.name }, 'an answer to another PC was dropped: too much waits for it')
    }
    const handler = typeof said.method === 'string' ? this.#handlers.get(said.method) : undefined
    if (!handler) {
      const sentence = `Lanthorn on ${peer.node.name} is a version that asks “${String(said.method).slice(0, 80)}”, which this one does not know.`
      return reply({ fault: 'unknown', sentence })
    }
    const running = this.#running.get(peer) ?? 0
    if (running >= this.#limits.callsServed)
      return reply({ fault: 'refused', sentence: `${running} questions of this PC are being answered already.` })
    this.#running.set(peer, running + 1)
    try {
      reply({ body: await handler(said.body, peer) })
    } catch (error) {
      const sentence = error instanceof Error ? error.message : String(error)
      this.#log.debug({ err: error, method: said.method, node: peer.node.name }, 'question of another PC refused')
      reply({ fault: 'refused', sentence })
    } finally {
      this.#running.set(peer, (this.#running.get(peer) ?? 1) - 1)
    }
  }

  #take(id: number, peer: Peer): Pending | undefined {
    const pending = this.#pending.get(id)
    if (pending?.peer !== peer) return undefined
    this.#pending.delete(id)
    this.#waiting.set(peer, (this.#waiting.get(peer) ?? 1) - 1)
    return pending
  }
}
