/** The cable between a client and the server, for tests that pull it out: a TCP relay that can be cut. */
import net from 'node:net'

export class Wire implements AsyncDisposable {
  readonly #server: net.Server
  readonly #ends = new Set<net.Socket>()

  /** How many connections went through it so far. */
  connections = 0

  private constructor(server: net.Server) {
    this.#server = server
  }

  /** Opens a relay on a free port of 127.0.0.1 that leads to `port`, there or on another host. */
  static async to(port: number, host = '127.0.0.1'): Promise<Wire> {
    const server = net.createServer({ noDelay: true })
    const wire = new Wire(server)
    server.on('connection', near => wire.#join(near, net.connect({ host, port, noDelay: true })))
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(0, '127.0.0.1', resolve)
    })
    return wire
  }

  get port(): number {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the wire is closed')
    return address.port
  }

  #join(near: net.Socket, far: net.Socket): void {
    this.connections++
    for (const [end, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#ends.add(end)
      end.on('error', () => other.destroy())
      end.on('close', () => {
        this.#ends.delete(end)
        other.destroy()
      })
      end.pipe(other)
    }
  }

  /** Cuts every connection at once: both sides see a reset, neither a closed stream. New connections work. */
  cut(): void {
    for (const end of this.#ends) end.resetAndDestroy()
  }

  async close(): Promise<void> {
    this.cut()
    if (!this.#server.listening) return
    await new Promise<void>(resolve => {
      this.#server.close(() => resolve())
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
