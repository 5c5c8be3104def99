/**
 * 3,000 connections from one address that is not this computer's loopback. Run by abuse.test.ts inside a network of its
 * own, where that address can be given to the loopback interface without anybody noticing. Prints one line of JSON.
 */
import net from 'node:net'
import { startAppliance } from '../support/appliance.ts'
import { memoryOf } from './processes.ts'

const connections = 3_000
const host = process.argv[2] ?? ''
const limit = 200

await using appliance = await startAppliance({
  config: {
    listen: { host },
    settings: { 'c2s.connectionsPerAddress': limit, 'c2s.newConnectionsPerSecond': 100_000 },
  },
})
const before = await memoryOf(appliance.pid)
const sockets: net.Socket[] = []
/** What each connection was told first. */
const told: string[] = []
await Promise.all(
  Array.from({ length: connections }, async (_, index) => {
    const socket = net.connect({ host, port: appliance.ready.c2s })
    sockets.push(socket)
    told[index] = ''
    socket.on('error', () => undefined) // a refused connection may end with a reset
    await new Promise<void>(resolve => {
      socket.once('close', () => resolve())
      socket.on('data', chunk => {
        const text = `${told[index]}${chunk}`
        told[index] = text
        if (text.includes('</stream:features>')) resolve()
      })
      socket.once('connect', () => {
        socket.write(
          `<stream:stream to='${appliance.domain}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`,
        )
      })
    })
  }),
)
const growth = (await memoryOf(appliance.pid)) - before
// The limit is on those that are open: when one leaves, another may come.
for (const socket of sockets) socket.destroy()
const again = await new Promise<boolean>(resolve => {
  let attempts = 0
  const attempt = (): void => {
    const socket = net.connect({ host, port: appliance.ready.c2s })
    let text = ''
    socket.on('error', () => undefined)
    socket.on('data', chunk => {
      text += chunk
    })
    socket.write(
      `<stream:stream to='${appliance.domain}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`,
    )
    setTimeout(() => {
      socket.destroy()
      if (text.includes('</stream:features>')) resolve(true)
      else if (attempts++ < 20) attempt()
      else resolve(false)
    }, 200)
  }
  attempt()
})
const count = (pattern: RegExp): number => told.filter(text => pattern.test(text)).length
process.stdout.write(
  `${JSON.stringify({
    limit,
    accepted: count(/<\/stream:features>/),
    refused: count(/<stream:error.*<policy-violation.*too many connections/),
    silent: count(/^$/),
    growth,
    again,
  })}\n`,
)
