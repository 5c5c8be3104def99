/** A door in front of a PostgreSQL server that counts statements and cuts the connection at the n-th. Speaks just enough of protocol 3.0 for it. */
import net from 'node:net'

/** `before`: the server never gets the statement. `after`: it has carried it out, and the answer is lost. */
export type CutMode = 'before' | 'after'

export interface StatementCutter {
  readonly port: number
  /** Statements since the start. */
  readonly counted: number
  /** The text of the last statement that was cut off. */
  readonly lastCut: string | undefined
  readonly isArmed: boolean
  /** Cuts the connection at the `n`-th statement from now, once. */
  arm(n: number, mode: CutMode): void
  disarm(): void
  close(): Promise<void>
}

/** Asks for TLS or GSS encryption, or to cancel: messages without a type (manual 54.7). */
const untypedCodes = new Set([80_877_102, 80_877_103, 80_877_104])

/**
 * Opens one on a free port of the loopback interface. A statement is a simple Query, or everything up to a Sync of the extended protocol.
 * @param target the real server, reached without TLS
 */
export async function openStatementCutter(target: net.NetConnectOpts): Promise<StatementCutter> {
  const sockets = new Set<net.Socket>()
  let counted = 0
  let armed: { left: number; mode: CutMode } | undefined
  let lastCut: string | undefined

  /** Whether this statement is the one. */
  const take = (text: string): CutMode | undefined => {
    counted++
    if (!armed || --armed.left > 0) return undefined
    const { mode } = armed
    armed = undefined
    lastCut = text
    return mode
  }

  const server = net.createServer(front => {
    const back = net.connect(target)
    const cut = (): void => {
      front.destroy()
      back.destroy()
    }
    for (const socket of [front, back]) {
      sockets.add(socket)
      socket.on('error', cut)
      socket.on('close', () => {
        sockets.delete(socket)
        cut()
      })
    }
    let isCutAtAnswer = false
    const fromFront = new Statements(
      bytes => back.write(bytes),
      (bytes, text) => {
        const mode = take(text)
        if (mode === 'before') return cut()
        isCutAtAnswer = mode === 'after'
        return back.write(bytes)
      },
    )
    front.on('data', chunk => fromFront.push(chunk))
    const fromBack = new Messages()
    back.on('data', chunk => {
      if (!isCutAtAnswer) {
        front.write(chunk)
        fromBack.skip(chunk)
        return
      }
      // ReadyForQuery: it is carried out, and committed unless a transaction is open.
      for (const { type } of fromBack.push(chunk)) if (type === 'Z') cut()
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as net.AddressInfo).port,
    get counted() {
      return counted
    },
    get lastCut() {
      return lastCut
    },
    get isArmed() {
      return armed !== undefined
    },
    arm(n, mode) {
      armed = { left: n, mode }
    },
    disarm() {
      armed = undefined
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

interface Message {
  /** Empty for those before the session has begun. */
  readonly type: string
  readonly bytes: Buffer
}

/** Cuts a byte stream into messages: a type, and a length that counts itself (manual 54.7). */
class Messages {
  #rest: Buffer = Buffer.alloc(0)

  push(chunk: Buffer): Message[] {
    this.#rest = Buffer.concat([this.#rest, chunk])
    const found: Message[] = []
    for (let next = this.#next(); next; next = this.#next()) found.push(next)
    return found
  }

  /** Follows the borders of messages without looking into them. */
  skip(chunk: Buffer): void {
    this.push(chunk)
  }

  #next(): Message | undefined {
    if (this.#rest.length < 5) return undefined
    const length = 1 + this.#rest.readUInt32BE(1)
    if (this.#rest.length < length) return undefined
    const bytes = this.#rest.subarray(0, length)
    this.#rest = this.#rest.subarray(length)
    return { type: String.fromCharCode(bytes[0] ?? 0), bytes }
  }
}

/** The client's side: what begins a session goes through as it is, then statement after statement. */
class Statements {
  readonly #other: (bytes: Buffer) => void
  readonly #statement: (bytes: Buffer, text: string) => void
  readonly #messages = new Messages()
  #start: Buffer | undefined = Buffer.alloc(0)
  #batch: Buffer[] = []
  #text = ''

  constructor(other: (bytes: Buffer) => void, statement: (bytes: Buffer, text: string) => void) {
    this.#other = other
    this.#statement = statement
  }

  push(chunk: Buffer): void {
    let rest: Buffer = chunk
    if (this.#start) {
      const begun = Buffer.concat([this.#start, chunk])
      const length = begun.length >= 8 ? begun.readUInt32BE(0) : Number.POSITIVE_INFINITY
      if (begun.length < length) {
        this.#start = begun
        return
      }
      this.#other(begun.subarray(0, length))
      this.#start = untypedCodes.has(begun.readUInt32BE(4)) ? Buffer.alloc(0) : undefined
      rest = begun.subarray(length)
    }
    for (const message of this.#messages.push(rest)) this.#take(message)
  }

  #take({ type, bytes }: Message): void {
    if (type === 'Q') {
      this.#statement(bytes, bytes.toString('utf8', 5, bytes.length - 1))
      return
    }
    // Parse, Bind, Describe, Execute, Close and Flush belong to the Sync that ends them.
    if (!'PBDECHS'.includes(type)) {
      this.#other(bytes)
      return
    }
    this.#batch.push(bytes)
    if (type === 'P') this.#text += bytes.toString('utf8', 5).split('\0')[1] ?? ''
    if (type !== 'S') return
    const [batch, text] = [Buffer.concat(this.#batch), this.#text]
    this.#batch = []
    this.#text = ''
    this.#statement(batch, text)
  }
}
