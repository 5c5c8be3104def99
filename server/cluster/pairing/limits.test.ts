import { expect, test } from 'vitest'
import { Allowance } from '../allowance.ts'
import type { Frames } from './frames.ts'
import { Requests } from './requests.ts'
import { versionTrouble } from './versions.ts'

test('One PC of an address may wait for an answer, eight in all', () => {
  const requests = new Requests({ node: 'FRONT-DESK', now: () => 0, changed: () => undefined })
  const frames = { send: () => undefined, keepAlive: () => undefined, onEnd: () => undefined } as unknown as Frames
  const add = (index: number) =>
    requests.add(
      frames,
      {
        id: `pc-${index}`,
        name: `PC-${index}`,
        system: '',
        version: '',
        hazelcast: undefined,
        publicKey: '',
        addresses: [],
      },
      { address: `10.0.0.${index}`, code: '', fingerprint: '' },
    )
  add(1)
  expect(requests.crowd('10.0.0.1', false)?.message).toContain('PC-1 at the same address waits at FRONT-DESK already')
  expect(requests.crowd('10.0.0.1', true)).toBeUndefined()
  expect(requests.crowd('10.0.0.2', false)).toBeUndefined()
  for (let index = 2; index <= 8; index++) add(index)
  expect(requests.crowd('10.0.0.9', false)?.message).toContain('8 PCs wait at FRONT-DESK already')
})

test('An allowance gives bursts, then its rate, for each key apart, and forgets the key that was used longest ago', () => {
  let now = 0
  const allowance = new Allowance({ burst: 2, perSecond: 1, keysMax: 2, now: () => now })
  const takes = (key: string, times: number) => Array.from({ length: times }, () => allowance.take(key))
  expect(takes('a', 3)).toEqual([true, true, false])
  expect(takes('b', 1)).toEqual([true])
  now = 1_500
  expect(takes('a', 2)).toEqual([true, false])
  // A clock that was set back gives nothing, and takes nothing.
  now = 500
  expect(takes('a', 1)).toEqual([false])
  expect(allowance.has('b')).toBe(true)
  takes('c', 2)
  expect(takes('a', 2)).toEqual([true, true])
})

test('Neighbouring versions carry one office, others are named both', () => {
  const here = { protocol: 1, version: '1.4.2' }
  const trouble = (version: string, protocol = 1) => versionTrouble({ name: 'PC-1', version, protocol }, here)
  for (const version of ['1.4.0', '1.3.9', '1.5.0-beta.1']) expect(trouble(version)).toBeUndefined()
  expect(trouble('1.6.0')).toContain('PC-1 runs Lanthorn 1.6.0, this PC runs 1.4.2')
  expect(trouble('1.6.0')).toContain('Update this PC to 1.6.0')
  expect(trouble('0.9.0')).toContain('Update PC-1 to 1.4.2')
  expect(trouble('2.0.0')).toContain('Update this PC to 2.0.0')
  expect(trouble('1.4.3', 2)).toContain('Update this PC')
  expect(trouble('yesterday')).toContain('cannot be told')
})
