import { EventEmitter } from 'node:events'
import type net from 'node:net'
import { expect, test } from 'vitest'
import { Admission } from './admission.ts'
import { limitsOf } from './timings.ts'

const limits = limitsOf()
const isPeer = (address: string): boolean => address.startsWith('10.0.0.')

/** An admission at a clock that is turned by hand, and what is open there. */
function gate() {
  let now = 0
  const admission = new Admission(limits, isPeer, () => now)
  const open = new Set<net.Socket>()
  const connect = (remoteAddress: string): net.Socket | undefined => {
    const socket = Object.assign(new EventEmitter(), {
      remoteAddress,
      destroy: () => open.delete(socket as unknown as net.Socket),
    }) as unknown as net.Socket
    if (!admission.enter(socket)) return undefined
    open.add(socket)
    return socket
  }
  const entered = (addresses: readonly string[]): number =>
    addresses.filter(address => connect(address) !== undefined).length
  const pass = (milliseconds: number): void => {
    now += milliseconds
  }
  return { admission, open, connect, entered, pass }
}

const ofOneHost = (count: number): string[] => Array.from({ length: count }, (_, n) => `2001:db8::${n.toString(16)}`)
const ofAll = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, n) => `172.${(from + n) >> 16}.${((from + n) >> 8) & 255}.${(from + n) & 255}`)

test('a host that picks its addresses from an IPv6 /64 is one neighbour', () => {
  const { open, entered, pass } = gate()
  expect(entered(ofOneHost(5_000))).toBe(2 * limits.handshakesPerSecond)
  expect(open.size).toBe(limits.strangersPerNeighbour)
  pass(1_000)
  expect(entered(ofOneHost(5_000))).toBe(limits.handshakesPerSecond)
  expect(entered(['2001:db8:0:1::1', '192.168.1.9'])).toBe(2)
})

test('strangers of any number of addresses share what one second gives, and the places; the office’s own PCs come in all the while', () => {
  const { admission, open, connect, entered, pass } = gate()
  expect(entered(ofAll(50_000))).toBe(limits.handshakesPerSecondOfStrangers)
  let strangers = 0
  for (let second = 1; second <= 10; second++) {
    pass(1_000)
    strangers += entered(ofAll(10_000, second * 50_000))
    const peer = connect(`::ffff:10.0.0.${second}`)
    expect(peer).toBeDefined()
    if (second % 2 === 0) admission.authenticated(peer as net.Socket)
  }
  expect(strangers).toBe(10 * limits.handshakesPerSecondOfStrangers)
  expect([...open].filter(({ remoteAddress }) => !isPeer(`${remoteAddress}`.slice(7)))).toHaveLength(limits.strangers)
  expect([...open].filter(({ remoteAddress }) => isPeer(`${remoteAddress}`.slice(7)))).toHaveLength(10)
})

test('a node from an unknown address costs the strangers nothing once it is known', () => {
  const { admission, connect } = gate()
  for (let times = 0; times < 1_000; times++) {
    const socket = connect('192.168.1.9')
    expect(socket).toBeDefined()
    admission.authenticated(socket as net.Socket)
  }
})
