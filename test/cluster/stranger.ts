/**
 * Somebody on the office network who knows the addresses and what the beacons say, and nothing secret. A program of its own, so that it runs on a PC of
 * the lab; each command prints JSON: `scan HOST FROM TO` the open ports, `flood HOST PORT SECONDS OWN,OWN…` what became of connections that it opened as
 * fast as it could from all its own addresses, `knock`, `guess`, `join` and `come-back` (ways-in.ts) what each way in came to.
 */
import net from 'node:net'
import tls from 'node:tls'
import { comeBack, guess, join, knock } from './ways-in.ts'

const [what = '', host = '', ...rest] = process.argv.slice(2)
const [first = '', second = '', third = '', fourth = ''] = rest

const commands: Record<string, () => Promise<unknown>> = {
  scan: () => scan(Number(first), Number(second)),
  flood: () => flood(Number(first), Number(second), third.split(',')),
  knock: () => knock(host, Number(first)),
  guess: () => guess(`${host}:${first}`, second),
  join: () => join(host, first, second),
  'come-back': () => comeBack(host, Number(first), second, third, fourth),
}
process.stdout.write(JSON.stringify(await commands[what]?.()))
// Connections that are still open end with the process.
process.stdout.write('\n', () => process.exit())

async function scan(from: number, to: number): Promise<number[]> {
  const open: number[] = []
  let next = from
  const one = async (): Promise<void> => {
    while (next <= to) {
      const port = next++
      if (await isOpen(port)) open.push(port)
    }
  }
  await Promise.all(Array.from({ length: 256 }, one))
  return open.sort((a, b) => a - b)
}

function isOpen(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = net.connect({ host, port, timeout: 2_000 })
    const end = (isThere: boolean) => () => {
      socket.destroy()
      resolve(isThere)
    }
    socket.once('connect', end(true)).once('error', end(false)).once('timeout', end(false))
  })
}

/** Half of the connections say nothing, a quarter begin TLS and stop, a quarter go on to the join protocol and send rubbish. */
async function flood(
  port: number,
  seconds: number,
  own: readonly string[],
): Promise<{ opened: number; refused: number }> {
  const counts = { opened: 0, refused: 0 }
  const end = performance.now() + seconds * 1_000
  const open = new Set<net.Socket>()
  let index = 0
  while (performance.now() < end) {
    for (let times = 0; times < 20; times++) {
      const localAddress = own[index % own.length]
      const socket = net.connect({ host, port, ...(localAddress !== undefined && { localAddress }) })
      open.add(socket)
      const kind = Math.floor(index++ / own.length) % 4
      socket.once('connect', () => {
        counts.opened++
        if (kind === 2) socket.write(Buffer.from('16030100050100000100', 'hex'))
        if (kind === 3) {
          const secure = tls.connect({ socket, ALPNProtocols: ['lanthorn-join'], rejectUnauthorized: false })
          secure.on('error', () => undefined) // being refused is what is hoped for
          secure.once('secureConnect', () => secure.write(Buffer.alloc(20_000, 0x7b)))
        }
      })
      socket.on('error', () => counts.refused++).on('close', () => open.delete(socket))
    }
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  for (const socket of open) socket.destroy()
  return counts
}
