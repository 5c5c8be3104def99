import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { canBreakProcesses } from '../faults/processes.ts'
import { type PostgresPair, startPair } from './postgres-pair.ts'

describe.skipIf(!canBreakProcesses)('a pair of servers', () => {
  let pair: PostgresPair

  beforeAll(async () => {
    pair = await startPair()
    await pair.primary.ask('CREATE TABLE note (text text)')
  })
  afterAll(() => pair?.close())

  const notes = async (server: PostgresPair['primary']) =>
    (await server.ask<{ text: string }>('SELECT text FROM note ORDER BY text')).map(({ text }) => text)

  test('carries the same rows', async () => {
    await pair.primary.ask("INSERT INTO note VALUES ('a')")
    await pair.caughtUp()
    expect(await notes(pair.standby)).toEqual(['a'])
    expect([await pair.primary.role(), await pair.standby.role()]).toEqual(['primary', 'standby'])
  })

  test('commits only what can be read on the standby, when it is told to', async () => {
    await pair.replicate('applied')
    await pair.primary.ask("INSERT INTO note VALUES ('b')")
    expect(await notes(pair.standby)).toEqual(['a', 'b'])
    await pair.replicate('synchronous')
    await pair.pauseReplay()
    await pair.primary.ask("INSERT INTO note VALUES ('c')")
    expect(await notes(pair.standby)).toEqual(['a', 'b'])
    await pair.resumeReplay()
    await pair.replicate('asynchronous')
    await pair.caughtUp()
  })

  test('loses what the standby had not received, and leaves two primaries when the old one lives on', async () => {
    await pair.cutReplication()
    await pair.primary.ask("INSERT INTO note VALUES ('d')")
    await pair.promote()
    expect(await notes(pair.primary)).toEqual(['a', 'b', 'c'])
    expect(await notes(pair.standby)).toEqual(['a', 'b', 'c', 'd'])
    expect(await pair.standby.role()).toBe('primary')
    expect(await pair.primary.timeline()).toBe(2)
    expect(await pair.standby.timeline()).toBe(1)
    await pair.clone()
    expect(await notes(pair.standby)).toEqual(['a', 'b', 'c'])
  })
})
