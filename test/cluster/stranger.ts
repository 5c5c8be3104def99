/**
 * Somebody on the office network who knows the addresses and what the beacons say, and nothing secret. A program of its own, so that it runs on a PC of
 * the lab: `node stranger.ts scan ADDRESS FROM TO` prints the open ports as JSON, `node stranger.ts flood ADDRESS PORT SECONDS` opens connections as
 * fast as it can, `node stranger.ts knock ADDRESS PORT` tries every way into the mesh and prints what became of each.
 */
import net from 'node:net'
import tls from 'node:tls'
import { createAuthority, issue } from '../../server/net/ca.ts'

const [what, address = '', ...rest] = process.argv.slice(2)

switch (what) {
  case 'scan':
    process.stdout.write(JSON.stringify(await scan(Number(rest[0]), Number(rest[1]))))
    break
  case 'flood':
    process.stdout.write(JSON.stringify(await flood(Number(rest[0]), Number(rest[1]))))
    break
  case 'knock':
    process.stdout.write(JSON.stringify(await knock(Number(rest[0]))))
    break
  default:
    process.exitCode = 2
}
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
    const socket = net.connect({ host: address, port, timeout: 2_000 })
    const end = (isThere: boolean) => () => {
      socket.destroy()
      resolve(isThere)
    }
    socket.once('connect', end(true)).once('error', end(false)).once('timeout', end(false))
  })
}

/** Half of the connections say nothing, a quarter begin TLS and stop, a quarter go on to the join protocol and send rubbish. */
async function flood(port: number, seconds: number): Promise<{ opened: number; refused: number }> {
  const counts = { opened: 0, refused: 0 }
  const end = performance.now() + seconds * 1_000
  const open = new Set<net.Socket>()
  let index = 0
  while (performance.now() < end) {
    for (let times = 0; times < 20; times++) {
      const socket = net.connect({ host: address, port })
      open.add(socket)
      const kind = index++ % 4
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

/** Each way in, and how far it leads: 'refused', or what was heard. */
async function knock(port: number): Promise<Record<string, string>> {
  const authority = await createAuthority('ACME')
  const pair = await issue(authority, { name: 'pc-2', dnsNames: ['pc-2'], addresses: [] })
  const own = { cert: pair.certificate, key: pair.key }
  const hello = Buffer.from('{"kind":"hello","node":"pc-2","number":2,"epoch":99}')
  const results: Record<string, string> = {}
  for (const protocol of ['lanthorn-link', 'lanthorn-hz']) {
    results[`${protocol} without a certificate`] = await tryTls(port, { ALPNProtocols: [protocol] }, hello)
    results[`${protocol} with a certificate of its own office`] = await tryTls(
      port,
      { ALPNProtocols: [protocol], ...own },
      hello,
    )
  }
  results['no protocol'] = await tryTls(port, {}, hello)
  results['an unknown protocol'] = await tryTls(port, { ALPNProtocols: ['h2'] }, hello)
  return results
}

async function tryTls(port: number, options: tls.ConnectionOptions, words: Buffer): Promise<string> {
  const socket = tls.connect({ host: address, port, rejectUnauthorized: false, ...options })
  let heard = 0
  socket.on('data', data => {
    heard += data.length
  })
  const closed = new Promise<void>(resolve => socket.once('close', () => resolve()))
  socket.on('error', () => undefined) // 'close' follows
  const length = Buffer.alloc(4)
  length.writeUInt32BE(words.length)
  socket.once('secureConnect', () => socket.write(Buffer.concat([length, words])))
  const timer = setTimeout(() => socket.destroy(), 8_000)
  await closed
  clearTimeout(timer)
  return heard === 0 ? 'refused' : `${heard} bytes were answered`
}
