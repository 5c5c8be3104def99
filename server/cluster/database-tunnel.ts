/** The built-in database of one PC, reached by the others through the links (DESIGN section 7): nothing of it is open on the LAN. */
import net from 'node:net'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Logger } from 'pino'
import type { Connection } from '../db/address.ts'
import type { Mesh } from './mesh.ts'

/** What another node needs to log in; travels over the link only. */
interface Access {
  readonly user: string
  readonly password: string
  readonly database: string
}

const CALL = 'database-access'
const CALL_MS = 5_000
/** Connections that one PC may have: its pool, those beside it, and some that are just ending. */
const STREAMS_MAX = 32
const CONNECT_MS = 3_000
const LISTENERS_MAX = 32
const socketIn = (folder: string, port: number): string => `${folder}/.s.PGSQL.${port}`

/**
 * Lets the other nodes reach the built-in database here.
 * @param connection how it is reached now; undefined while it does not run here: then they are refused
 * @returns a function that ends it
 */
export function serveDatabase(mesh: Mesh, connection: () => Connection | undefined, log: Logger): () => void {
  const open = new Map<string, number>()
  const streams = new Set<Duplex>()
  const endStreams = mesh.onStream('database', (stream, from) => {
    const to = connection()
    const { name } = from.node
    const count = open.get(name) ?? 0
    if (!to || count >= STREAMS_MAX) {
      stream.destroy()
      return
    }
    open.set(name, count + 1)
    streams.add(stream)
    const socket = to.host.startsWith('/') ? net.connect(socketIn(to.host, to.port)) : net.connect(to.port, to.host)
    join(stream, socket)
      .catch(error => log.debug({ err: error, peer: name }, 'a connection to the database ended'))
      .finally(() => {
        streams.delete(stream)
        open.set(name, (open.get(name) ?? 1) - 1)
      })
  })
  const endCalls = mesh.onCall(CALL, (): Access => {
    const to = connection()
    if (!to) throw new Error('The main database does not run on this PC.')
    return { user: to.user, password: to.password, database: to.database }
  })
  return () => {
    endStreams()
    endCalls()
    for (const stream of streams) stream.destroy()
  }
}

/** The near end: a port on loopback behind which the database of another node is. */
export class DatabaseTunnel {
  readonly #mesh: Mesh
  readonly #owner: () => string
  readonly #log: Logger
  readonly #server: net.Server
  readonly #sockets = new Set<net.Socket>()
  #access: Access | undefined

  /** For `open` only. */
  constructor(options: { mesh: Mesh; owner: () => string; log: Logger }) {
    this.#mesh = options.mesh
    this.#owner = options.owner
    this.#log = options.log
    this.#server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, socket => void this.#take(socket))
    this.#server.maxConnections = STREAMS_MAX
  }

  /** @param options.owner the name of the node whose database it is, asked at each connection */
  static async open(options: { mesh: Mesh; owner: () => string; log: Logger }): Promise<DatabaseTunnel> {
    const tunnel = new DatabaseTunnel(options)
    await new Promise<void>((resolve, reject) => {
      tunnel.#server.once('error', reject)
      tunnel.#server.listen(0, '127.0.0.1', resolve)
    })
    return tunnel
  }

  /** How the database is reached through it. Before `refresh` succeeded once, with a name that nobody has. */
  get connection(): Connection {
    const address = this.#server.address()
    const port = typeof address === 'object' && address ? address.port : 0
    const access = this.#access ?? { user: 'lanthorn', password: '', database: 'lanthorn' }
    return { host: '127.0.0.1', port, tls: 'disable', ...access }
  }

  /** Asks the other node how to log in. @throws CallFault */
  async refresh(): Promise<void> {
    const answer = (await this.#mesh.call(this.#owner(), CALL, {}, { timeoutMs: CALL_MS })) as Access
    const { user, password, database } = answer
    this.#access = { user, password, database }
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise(resolve => this.#server.close(resolve))
  }

  async #take(socket: net.Socket): Promise<void> {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    // Errors before both ends are joined end the connection, which its client notices.
    socket.on('error', () => socket.destroy())
    try {
      const stream = await this.#mesh.openStream(this.#owner(), 'database', { timeoutMs: CONNECT_MS })
      await join(stream, socket)
    } catch (error) {
      this.#log.debug({ err: error }, 'a connection to the main database ended')
      socket.destroy()
    }
  }
}

/** Both ways, until one end is over; then both are. */
async function join(stream: Duplex, socket: net.Socket): Promise<void> {
  socket.setNoDelay(true)
  // The link has listeners of its own on it, and a pipeline in both directions adds many.
  stream.setMaxListeners(LISTENERS_MAX)
  try {
    await pipeline(stream, socket, stream)
  } finally {
    stream.destroy()
    socket.destroy()
  }
}
