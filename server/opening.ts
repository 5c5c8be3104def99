import type { Logger } from 'pino'
import type { PortName } from './config.ts'

/** A port that cannot be opened; the message is one sentence that names the port and its key in the configuration. */
export class ListenFault extends Error {
  override readonly name = 'ListenFault'
}

const reasons: Record<string, (port: number, host: string) => string> = {
  EADDRINUSE: (port, host) => `port ${port} at ${host} is in use by another program`,
  EACCES: port => `this user may not open port ${port}`,
  EADDRNOTAVAIL: (_port, host) => `${host} is not an address of this computer`,
  ENOTFOUND: (_port, host) => `the host name ${host} cannot be found`,
}

/**
 * Says why a port could not be opened.
 * @returns a ListenFault, or the error itself when it is not about the port
 */
export function listenFault(error: unknown, name: string, port: number, host: string): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const reason = reasons[code]?.(port, host)
  if (!reason) return error
  const mend =
    code === 'EADDRINUSE'
      ? `stop that program or choose another port with listen.${name}`
      : `change listen.${name === 'host' ? 'host' : name} or listen.host`
  return new ListenFault(`Lanthorn cannot listen: ${reason}; ${mend}.`, { cause: error })
}

/** What was opened, to be closed in reverse: in order at a stop, or because a later step failed. */
export class Opening {
  readonly ports: Partial<Record<PortName, number>> = {}
  readonly #host: string
  readonly #log: Logger
  readonly #closers: (() => void | Promise<void>)[] = []

  constructor(host: string, log: Logger) {
    this.#host = host
    this.#log = log
  }

  /** @throws ListenFault */
  async open(
    name: PortName,
    port: number,
    listen: (port: number) => Promise<{ readonly port: number; close(): Promise<void> }>,
  ): Promise<void> {
    try {
      const listener = await listen(port)
      this.ports[name] = listener.port
      this.onClose(() => listener.close())
    } catch (error) {
      throw listenFault(error, name, port, this.#host)
    }
  }

  onClose(close: () => void | Promise<void>): void {
    this.#closers.push(close)
  }

  /** Closes everything, even when a part of it fails; the rest is logged. */
  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) {
      try {
        await close()
      } catch (error) {
        this.#log.error({ err: error }, 'closing failed')
      }
    }
  }
}
