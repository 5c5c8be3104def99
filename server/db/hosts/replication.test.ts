import { describe, expect, test } from 'vitest'
import type { FollowerRow, ServerReport } from './probe.ts'
import { isCurrent, parseStandbyNames, replicationOf } from './replication.ts'

const primary: ServerReport = {
  isCopy: false,
  isReadOnly: false,
  timeline: 5,
  systemId: '71',
  bornAt: 'a',
  version: '17.2',
  clock: 0,
  maySeeReplication: true,
  followers: [{ name: 'second', address: '10.0.0.2', state: 'streaming', sync: 'sync' }],
  standbyNames: 'second',
  commitLevel: 'remote_apply',
}
const copy: ServerReport = {
  ...primary,
  isCopy: true,
  bornAt: 'b',
  followers: [],
  followerName: 'second',
  isFollowing: true,
  address: '10.0.0.2',
}
const row = (change: Partial<FollowerRow>): FollowerRow => ({ ...primary.followers[0]!, ...change })

describe('a standby may be read as if it were the main database', () => {
  test.each<[string, Partial<ServerReport>, Partial<ServerReport>]>([
    ['when every commit waits for it', {}, {}],
    [
      'when all of the list are needed',
      { standbyNames: 'ANY 2 (second, "Third")', followers: [row({ sync: 'quorum' })] },
      {},
    ],
    ['when it is the only one of FIRST 1', { standbyNames: 'FIRST 1 (second)' }, {}],
    ['when anybody may be the one and nobody else is there', { standbyNames: '*' }, {}],
    ['when we come to it over its loopback (a pooler beside it)', {}, { address: '127.0.0.1' }],
  ])('%s', (_, ofPrimary, ofCopy) => {
    expect(isCurrent({ ...primary, ...ofPrimary }, { ...copy, ...ofCopy })).toBe(true)
  })
})

describe('a standby is not read', () => {
  test.each<[string, Partial<ServerReport>, Partial<ServerReport>]>([
    ['when commits wait for its disk only', { commitLevel: 'on' }, {}],
    ['when our commits wait for nobody', { commitLevel: 'local' }, {}],
    ['when it is asynchronous', { followers: [row({ sync: 'async' })] }, {}],
    ['when it only may become the synchronous one', { followers: [row({ sync: 'potential' })] }, {}],
    ['when one of two is enough', { standbyNames: 'ANY 1 (second, third)', followers: [row({ sync: 'quorum' })] }, {}],
    ['when another one would take its place', { standbyNames: 'second, third' }, {}],
    [
      'when anybody may be the one and somebody else is there',
      { standbyNames: '*', followers: [row({}), row({ name: 'x', sync: 'potential' })] },
      {},
    ],
    ['when it is still catching up', { followers: [row({ state: 'catchup' })] }, {}],
    ['when two have its name', { followers: [row({}), row({ address: '10.0.0.3' })] }, {}],
    ['when the one of that name is elsewhere', { followers: [row({ address: '10.0.0.3' })] }, {}],
    ['when it has no name', {}, { followerName: '' }],
    ['when it does not receive', {}, { isFollowing: false }],
    ['when it was promoted', {}, { isCopy: false }],
    ['when it is on another timeline', {}, { timeline: 4 }],
    ['when it is of another database', {}, { systemId: '72' }],
    ['when nobody may know its database', {}, { systemId: '' }],
    ['when our role may not see replication', { maySeeReplication: false }, {}],
  ])('%s', (_, ofPrimary, ofCopy) => {
    expect(isCurrent({ ...primary, ...ofPrimary }, { ...copy, ...ofCopy })).toBe(false)
  })
})

describe('replication as people read it', () => {
  test.each<[Partial<ServerReport>, string]>([
    [{}, 'applied'],
    [{ commitLevel: 'on' }, 'synchronous'],
    [{ commitLevel: 'off' }, 'asynchronous'],
    [{ followers: [row({ sync: 'async' })] }, 'asynchronous'],
    [{ followers: [] }, 'none'],
    [{ followers: [row({ state: 'backup' })] }, 'none'],
    [{ maySeeReplication: false }, 'unknown'],
  ])('%j is %s', (change, kind) => {
    expect(replicationOf({ ...primary, ...change }, 'office').kind).toBe(kind)
  })

  test('names what our role lacks', () => {
    expect(replicationOf({ ...primary, maySeeReplication: false }, 'office').sentence).toContain(
      'GRANT pg_monitor TO "office";',
    )
  })
})

test.each([
  ['', { count: 1, names: [] }],
  ['*', { count: 1, names: ['*'] }],
  ['a, b', { count: 1, names: ['a', 'b'] }],
  ['2 (a, b)', { count: 2, names: ['a', 'b'] }],
  ['FIRST 1 (a)', { count: 1, names: ['a'] }],
  ['any 2 ("A b", c)', { count: 2, names: ['a b', 'c'] }],
])('synchronous_standby_names = %j is read', (text, expected) => {
  expect(parseStandbyNames(text)).toEqual(expected)
})
