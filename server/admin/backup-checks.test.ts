import { expect, test } from 'vitest'
import { type BackupsForChecks, backupChecks } from './backup-checks.ts'
import type { Backup } from './contract/backups.ts'

const now = Date.parse('2026-11-22T12:00:00Z')
const hoursAgo = (hours: number): string => new Date(now - hours * 3_600_000).toISOString()

const backup = (changes: Partial<Backup> = {}): Backup => ({
  name: 'acme-2026-11-22-0300',
  madeAt: hoursAgo(9),
  bytes: 1,
  people: 3,
  messages: 4,
  version: '1',
  state: 'ok',
  sentence: 'Proven by a restore on 22 November.',
  ...changes,
})

/** What Health says: state and sentence by check. */
async function health(changes: Partial<BackupsForChecks>, isKeySaved = true): Promise<Record<string, string>> {
  const backups: BackupsForChecks = {
    folder: '/mnt/backups',
    isEnabled: true,
    nextAt: new Date(now + 15 * 3_600_000),
    trouble: { failures: 0, sentence: '' },
    list: async () => [backup()],
    isOnDataDisk: async () => false,
    ...changes,
  }
  const said: Record<string, string> = {}
  for (const check of backupChecks(backups, { now: () => now, isKeySaved: () => isKeySaved })) {
    const result = await check.run()
    if (result) said[check.id] = `${result.state}: ${result.sentence}`
  }
  return said
}

test('A proven backup of last night on another disk is fine', async () => {
  expect(await health({})).toEqual({
    backup: 'ok: The newest backup is 9 hours old. Proven by a restore on 22 November.',
    'backup-place': 'ok: Backups lie on another disk than the data: /mnt/backups.',
    'recovery-key': 'ok: The recovery sheet was saved or printed.',
  })
})

test('A new office is not blamed for what it cannot have yet', async () => {
  expect(await health({ list: async () => [], isOnDataDisk: async () => true }, false)).toEqual({
    backup: 'ok: The first backup is made in 15 hours.',
  })
})

test('Old, unproven and damaged ones, one failure and two, switched off: each has its sentence', async () => {
  const said = async (changes: Partial<BackupsForChecks>) => (await health(changes)).backup
  expect(await said({ list: async () => [backup({ madeAt: hoursAgo(40) })] })).toBe(
    'warn: The newest backup is 40 hours old.',
  )
  expect(await said({ list: async () => [backup({ madeAt: hoursAgo(100) })] })).toBe(
    'bad: The newest backup is 4 days old.',
  )
  expect(await said({ list: async () => [backup({ state: 'warn', sentence: 'Not proven yet.' })] })).toBe(
    'warn: The newest backup: Not proven yet.',
  )
  expect(await said({ trouble: { failures: 1, sentence: 'No room.' } })).toBe('warn: The last backup failed: No room.')
  expect(await said({ trouble: { failures: 2, sentence: 'No room.' } })).toBe(
    'bad: 2 backups in a row failed: No room.',
  )
  expect(await said({ isEnabled: false })).toBe('warn: No backups are made: they are switched off.')
  expect(await said({ list: () => Promise.reject(new Error('The share does not answer.')) })).toBe(
    'bad: The share does not answer.',
  )
})

test('The disk of the data, and a recovery sheet that nobody has saved, are told once there is a backup, and are a warning after a week', async () => {
  const isOnDataDisk = async () => true
  expect(await health({ isOnDataDisk }, false)).toMatchObject({
    'backup-place': expect.stringMatching(/^ok: So far backups lie on the same disk/),
    'recovery-key': expect.stringMatching(/^ok: Still to do: save the recovery sheet/),
  })
  const list = async () => [backup(), backup({ madeAt: hoursAgo(8 * 24) })]
  expect(await health({ isOnDataDisk, list }, false)).toMatchObject({
    'backup-place': expect.stringMatching(/^warn: Backups lie on the same disk/),
    'recovery-key': expect.stringMatching(/^warn: Nobody has saved the recovery sheet/),
  })
})
