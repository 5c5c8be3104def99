/** A door in front of a server that a test can shut, freeze and open again: what cables, firewalls and hung hosts do. */
import net from 'node:net'

export interface Door {
  readonly port: number
  /** Breaks all connections and refuses new ones. */
  shut(): Promise<void>
  /** Keeps all connections and accepts new ones, but nothing comes through any more. */
  freeze(): void
  /** Lets everything through (again). */
  open(): Promise<void>
  /** How many connections went through since the start. */
  readonly passed: number
  close(): Promise<void>
}

/** Opens a door on a free port of the loopback interface to a Unix socket or a port of it. */
export async function openDoor(target: net.NetConnectOpts): Promise<Door> {
  const pairs = new Set<[net.Socket, net.Socket]>()
  let isFrozen = false
  let passed = 0
  const server = net.createServer(front => {
    const back = net.connect(target)
    const pair: [net.Socket, net.Socket] = [front, back]
    passed++
    pairs.add(pair)
    join(front, back)
    join(back, front)
    if (isFrozen) for (const socket of pair) socket.pause()
    front.on('close', () => pairs.delete(pair))
  })
  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', resolve)
    })
  await listen(0)
  const { port } = server.address() as net.AddressInfo
  const shut = async () => {
    for (const [front] of pairs) front.destroy()
    if (server.listening) await new Promise(resolve => server.close(resolve))
  }
  return {
    port,
    get passed() {
      return passed
    },
    shut,
    freeze() {
      isFrozen = true
      for (const pair of pairs) for (const socket of pair) socket.pause()
    },
    async open() {
      isFrozen = false
      for (const pair of pairs) for (const socket of pair) socket.resume()
      if (!server.listening) await listen(port)
    },
    close: shut,
  }
}

function join(from: net.Socket, to: net.Socket): void {
  from.on('data', chunk => to.write(chunk))
  from.on('close', () => to.destroy())
  from.on('error', () => to.destroy())
}
