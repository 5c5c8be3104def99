/** Reaching a peer: its addresses one after the other, a little apart, again and again with growing pauses until there is a link. */
import tls from 'node:tls'
import { alpnLink, type Identity } from './identity.ts'
import type { MeshTimings } from './timings.ts'

export interface DialTarget {
  readonly id: string
  readonly name: string
  readonly key: string
}

/** What became of one try. */
export type Dialled = { readonly socket: tls.TLSSocket } | DialFault

interface DialFault {
  readonly fault: string
  /** It was over in no time. */
  readonly isCheap: boolean
  /** The computer is there, and nothing listens. */
  readonly isRefused?: boolean
}

/** 'host:5275', '[fd00::1]:5275'; undefined when it is neither. */
export function splitAddress(address: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  return host && port > 0 && port < 65_536 ? { host, port } : undefined
}

/** An address and a port as one text. */
export function joinAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Connects to one address and makes sure that it is this node. Resolves in any case, within `timeoutMs`. */
export function dialAddress(given: {
  address: string
  target: DialTarget
  identity: Identity
  timeoutMs: number
  alpn?: string
  signal?: AbortSignal
}): Promise<Dialled> {
  const { address, target, identity, timeoutMs, alpn = alpnLink, signal } = given
  const place = splitAddress(address)
  if (!place) return Promise.resolve({ fault: `“${address}” is not an address with a port`, isCheap: false })
  return new Promise(resolve => {
    const options = {
      ...place,
      secureContext: identity.context,
      ALPNProtocols: [alpn],
      servername: `${target.id}.node.invalid`,
      // The key of the node is what counts, and it is checked below.
      rejectUnauthorized: false,
      allowHalfOpen: true,
    }
    const socket = tls.connect(options)
    const finish = (result: Dialled) => {
      clearTimeout(limit)
      signal?.removeEventListener('abort', onAbort)
      socket.removeListener('secureConnect', onSecure)
      socket.removeListener('close', onClose)
      if ('fault' in result) socket.destroy()
      else socket.removeListener('error', onError)
      resolve(result)
    }
    const onAbort = () => finish({ fault: 'another address was faster', isCheap: true })
    const limit = setTimeout(
      () =>
        finish({ fault: `${address} does not answer: that PC is off, or a firewall is in between`, isCheap: false }),
      timeoutMs,
    )
    const onError = (error: NodeJS.ErrnoException) => finish(faultOf(error, address))
    const onClose = () => finish({ fault: `${address} closes the connection at once`, isCheap: false })
    const onSecure = () => {
      const checked = identity.check(socket)
      if ('fault' in checked) finish({ fault: `${address} cannot be trusted: ${checked.fault}`, isCheap: false })
      else if (checked.node.key !== target.key)
        finish({ fault: `${address} belongs to ${checked.node.name} now, not to ${target.name}`, isCheap: false })
      else if (socket.alpnProtocol !== alpn) finish({ fault: `${address} speaks another protocol`, isCheap: false })
      else finish({ socket })
    }
    socket.on('error', onError)
    socket.once('close', onClose)
    socket.once('secureConnect', onSecure)
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted) onAbort()
  })
}

function faultOf(error: NodeJS.ErrnoException, address: string): Dialled {
  switch (error.code) {
    case 'ECONNREFUSED':
      return { fault: `${address} refuses the connection: Lanthorn does not run there`, isCheap: true, isRefused: true }
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ENETDOWN':
      return { fault: `there is no way to ${address} in this network`, isCheap: true }
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return { fault: `the name in ${address} is not known in this network`, isCheap: false }
    default:
      return { fault: `${address}: ${error.message}`, isCheap: false }
  }
}

export interface DialerOptions {
  readonly timings: MeshTimings
  readonly identity: Identity
  readonly target: () => DialTarget
  /** Best first. */
  readonly addresses: () => readonly string[]
  /** Whether a link is wanted now. */
  readonly isNeeded: () => boolean
  /** Takes a connection. Resolves when it has become the link, or has ended. */
  readonly take: (socket: tls.TLSSocket, address: string) => Promise<void>
  readonly onTrouble: (sentence: string) => void
  /** At one of the addresses nothing listens. */
  readonly onRefused: () => void
}

/** Keeps dialling one peer for as long as a link to it is needed. */
export class Dialer {
  readonly #options: DialerOptions
  #timer: NodeJS.Timeout | undefined
  #round: AbortController | undefined
  #pauseMs = 0
  /** It was woken while a round was under way. */
  #isAwake = false
  #isClosed = false

  constructor(options: DialerOptions) {
    this.#options = options
  }

  /** Begins a round at once if a link is needed and none is under way. */
  wake(): void {
    this.#pauseMs = 0
    this.#isAwake = true
    if (this.#isClosed || this.#round || !this.#options.isNeeded()) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#run().catch((error: Error) => this.#options.onTrouble(error.message))
  }

  /** There is a link: what is under way is given up. */
  rest(): void {
    this.#isAwake = false
    this.#round?.abort()
  }

  /** Begins a round after the shortest pause. */
  wakeLater(): void {
    if (this.#isClosed || this.#round || this.#timer) return
    this.#pause(this.#options.timings.retryMinMs)
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#round?.abort()
  }

  async #run(): Promise<void> {
    const round = new AbortController()
    this.#round = round
    this.#isAwake = false
    const isCheap = await this.#tryAll(round)
    round.abort()
    this.#round = undefined
    if (this.#isClosed || !this.#options.isNeeded()) {
      this.#pauseMs = 0
      return
    }
    const { retryMinMs, retryMaxMs, refusedRetryMs } = this.#options.timings
    this.#pauseMs = Math.min(Math.max(this.#pauseMs * 2, retryMinMs), isCheap ? refusedRetryMs : retryMaxMs)
    this.#pause(this.#isAwake ? retryMinMs / 10 : this.#pauseMs)
  }

  #pause(ms: number): void {
    // Two PCs that lost each other at the same moment do not go on in step.
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        const pauseMs = this.#pauseMs
        this.wake()
        this.#pauseMs = pauseMs
      },
      ms * (0.75 + Math.random() / 2),
    )
  }

  /** @returns whether all tries failed cheaply */
  async #tryAll(round: AbortController): Promise<boolean> {
    const addresses = this.#options.addresses()
    if (addresses.length === 0) this.#options.onTrouble('none of its addresses is known here')
    const tries = addresses.map((address, index) => this.#try(address, index, round))
    const results = await Promise.all(tries)
    const first = results.find(result => result !== undefined)
    if (first) this.#options.onTrouble(first.fault)
    return results.every(result => result?.isCheap ?? false)
  }

  async #try(address: string, index: number, round: AbortController): Promise<DialFault | undefined> {
    const { timings, identity, target, isNeeded, take } = this.#options
    if (!(await wait(index * timings.staggerMs, round.signal)) || !isNeeded()) return undefined
    const dialled = await dialAddress({
      address,
      target: target(),
      identity,
      timeoutMs: timings.dialMs,
      signal: round.signal,
    })
    if ('fault' in dialled) {
      if (round.signal.aborted) return undefined
      if (dialled.isRefused) this.#options.onRefused()
      return dialled
    }
    if (this.#isClosed || round.signal.aborted) {
      dialled.socket.destroy()
      return undefined
    }
    round.abort()
    await take(dialled.socket, address)
    return undefined
  }
}

/** Resolves with false at once when the signal is aborted. */
function wait(ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false)
  if (ms === 0) return Promise.resolve(true)
  return new Promise(resolve => {
    const onAbort = () => {
      clearTimeout(timer)
      resolve(false)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort)
      resolve(true)
    }, ms)
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
