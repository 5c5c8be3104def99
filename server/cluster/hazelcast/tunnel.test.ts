import net from 'node:net'
import pino from 'pino'
import { expect, test } from 'vitest'
import { pair, reached } from '../../../test/support/mesh.ts'
import { isOnThisComputer, openTunnel } from './tunnel.ts'

test('a peer’s slot leads to its own member, while it is up and of the same kind, and nowhere else', async () => {
  await using office = await pair()
  const { one, two, door } = office
  // What stands for the member of the second node: it says its name and repeats what it is told.
  const member = net.createServer({ allowHalfOpen: true }, socket => {
    socket.write('member of pc-2: ')
    socket.pipe(socket)
  })
  await new Promise<void>(resolve => member.listen(0, '127.0.0.1', resolve))
  const { port: memberPort } = member.address() as net.AddressInfo
  const portBase = (await freePort()) - 2
  const log = pino({ level: 'silent' })
  let fits = true
  const options = { isHere: () => false, fits: () => fits, log }
  const near = openTunnel({ ...options, mesh: one, portBase, ownPort: () => 1 })
  const far = openTunnel({ ...options, mesh: two, portBase: 1, ownPort: () => memberPort })
  const connect = (): net.Socket => net.connect(portBase + 2, '127.0.0.1')
  const refusal = (): Promise<string> =>
    new Promise(resolve => {
      const socket = connect()
      socket.once('connect', () => socket.destroy())
      socket.once('close', () => resolve('open'))
      socket.once('error', error => resolve((error as NodeJS.ErrnoException).code ?? ''))
    })

  await expect.poll(refusal).toBe('open')
  const socket = connect()
  socket.write('hello')
  let said = ''
  socket.on('data', data => {
    said += data
  })
  await expect.poll(() => said).toBe('member of pc-2: hello')
  socket.destroy()

  const held = connect()
  await new Promise(resolve => held.once('data', resolve))
  const cut = new Promise(resolve => held.once('close', resolve))
  held.on('error', () => undefined)
  await door.shut()
  await Promise.all([reached(one, 'pc-2', 'gone'), cut])
  expect(await refusal()).toBe('ECONNREFUSED')

  await door.open()
  await reached(one, 'pc-2', 'up')
  await expect.poll(refusal).toBe('open')
  fits = false
  near.refresh()
  expect(await refusal()).toBe('ECONNREFUSED')
  near.close()
  far.close()
  member.close()
})

test('a peer on this very computer is known by its address', () => {
  const told = ['127.0.0.1:5275', '[::1]:5275', '::ffff:127.0.0.1', 'localhost:5275'].map(address => ({ address }))
  expect(told.map(isOnThisComputer)).toEqual([true, true, true, true])
  const others = ['192.0.2.7:5275', '[2001:db8::1]:5275', 'fe80::1%eth9', 'other.example:5275', undefined]
  expect(others.map(address => isOnThisComputer({ address }))).toEqual([false, false, false, false, false])
})

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as net.AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}
