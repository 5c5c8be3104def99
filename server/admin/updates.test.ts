import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AdminBench, openAdmin } from '../../test/support/admin.ts'
import { UpdatesDeskInMemory } from '../../test/support/admin-desks.ts'
import type { HealthCheck } from './contract/health.ts'
import type { Updates } from './contract/updates.ts'
import { updateCheck } from './update-checks.ts'

let bench: AdminBench
let cookie: string
const updates = new UpdatesDeskInMemory()
beforeAll(async () => {
  bench = await openAdmin({ updates, checks: [updateCheck(updates)] })
  cookie = await bench.signIn()
})
afterAll(async () => bench[Symbol.asyncDispose]())

const post = (path: string) => bench.ask<Updates>('POST', `/api/updates/${path}`, { cookie, body: {} })

describe('updates', () => {
  test('are shown, looked for, installed and stopped; who did it is written down', async () => {
    const shown = await bench.ask<Updates>('GET', '/api/updates', { cookie })
    expect(shown.json).toMatchObject({ state: 'off', canBeOn: true })
    expect((await post('install')).status).toBe(422)
    const publishedAt = '2026-11-20T10:00:00.000Z'
    updates.put({ state: 'available', canInstall: true, newest: { version: '0.2.0', publishedAt, notes: '' } })
    expect((await post('check')).status).toBe(200)
    expect((await post('install')).json).toMatchObject({ canInstall: false, canStop: true })
    expect((await post('stop')).json).toMatchObject({ canStop: false })
    expect(updates.asked).toEqual(['check', 'install', 'Anna Kessler stopped'])
    const history = await bench.ask<{ entries: { by: string; sentence: string }[] }>('GET', '/api/history', { cookie })
    expect(history.json.entries.slice(0, 2).map(({ by, sentence }) => `${by}: ${sentence}`)).toEqual([
      'Anna Kessler: Stopped updating.',
      'Anna Kessler: Started to update all PCs to version 0.2.0.',
    ])
  })

  test('are for administrators only', async () => {
    for (const path of ['check', 'install', 'stop'])
      expect((await bench.ask('POST', `/api/updates/${path}`, { body: {} })).status).toBe(401)
    expect((await bench.ask('GET', '/api/updates')).status).toBe(401)
  })

  test('stand on Health when there is something to say, with a button that leads to them', async () => {
    const check = async (): Promise<HealthCheck | undefined> => {
      const { json } = await bench.ask<{ checks: HealthCheck[] }>('POST', '/api/health/check', { cookie, body: {} })
      return json.checks.find(({ id }) => id === 'update')
    }
    updates.put({ state: 'failed', wellness: 'warn', sentence: 'Version 0.2.0 is not on all PCs.' })
    expect(await check()).toMatchObject({
      ...{ group: 'pcs', state: 'warn', sentence: 'Version 0.2.0 is not on all PCs.' },
      mend: { page: '/settings/updates' },
    })
    updates.put({ state: 'off' })
    expect(await check()).toBeUndefined()
  })
})
