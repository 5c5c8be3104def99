import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { mustHaveRoom, roomForDatabase } from './room.ts'

test('Too little room is refused with both numbers', async () => {
  await expect(mustHaveRoom('/mnt/backups', 1_000_000_000, 2_500_000_000)).rejects.toThrow(
    'There is not enough room in /mnt/backups: 1.0 GB are free, 2.5 GB may be needed. Make room, or choose another folder.',
  )
  await expect(mustHaveRoom(tmpdir(), undefined, 1e18)).rejects.toThrow(/not enough room/)
  await mustHaveRoom(tmpdir(), undefined, 1)
})

test('A database made of a backup takes a third more than the old one, and something is left', () => {
  expect(roomForDatabase(1_000_000_000)).toBe(1_350_000_000)
})
