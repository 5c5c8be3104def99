import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AdminBench, openAdmin } from '../../test/support/admin.ts'
import { type Setting, type SettingChange, settingPages } from './contract/settings.ts'
import { shownSchema } from './routes/settings.ts'

let bench: AdminBench
let cookie: string
beforeAll(async () => {
  bench = await openAdmin()
  cookie = await bench.signIn()
})
afterAll(async () => bench[Symbol.asyncDispose]())

type Saved = {
  setting: Setting
  change: string | null
  pcs: { name: string; state: string }[]
  error: { code: string; field?: string; sentence: string }
}
const put = (key: string, value: unknown) =>
  bench.ask<Saved>('PUT', `/api/settings/${key}`, { cookie, body: { value } })
const undo = (change: string | null) =>
  bench.ask<Saved>('POST', '/api/settings/undo', { cookie, body: { change: change ?? '' } })
const groups = async () =>
  (
    await bench.ask<{ groups: { page: string; feature: string; title: string; settings: Setting[] }[] }>(
      'GET',
      '/api/settings',
      { cookie },
    )
  ).json.groups

const key = 'version.shown'

describe('settings', () => {
  test('of all features are printed from their schemas, page by page', async () => {
    const all = await groups()
    expect(all.map(({ page }) => page)).toEqual(
      [...all.map(({ page }) => page)].sort(
        (a, b) => settingPages.indexOf(a as never) - settingPages.indexOf(b as never),
      ),
    )
    const shown = all.flatMap(({ settings }) => settings)
    expect(shown.find(setting => setting.key === key)).toMatchObject({
      title: 'Tell the version of this server',
      default: true,
      value: true,
      schema: { type: 'boolean' },
    })
    for (const setting of shown) {
      expect(setting.title, setting.key).not.toBe(setting.key)
      expect(setting.schema.type, setting.key).toBeDefined()
      expect(setting.default, setting.key).toBeDefined()
    }
  })

  test('are changed at once, with who did it, and taken back', async () => {
    const { status, json } = await put(key, false)
    expect(status).toBe(200)
    expect(json.setting).toMatchObject({ key, value: false, changedBy: 'Anna Kessler' })
    expect(json.pcs).toEqual([{ name: 'front-desk', state: 'applied' }])
    expect(bench.open.parts.settings.values()[key]).toBe(false)
    const back = await undo(json.change)
    expect(back.json.setting).toMatchObject({ key, value: true })
    expect(back.json.setting).not.toHaveProperty('changedBy')
    const { json: changes } = await bench.ask<{ changes: SettingChange[] }>('GET', `/api/settings/changes?key=${key}`, {
      cookie,
    })
    expect(changes.changes.map(({ from, to, by }) => [from, to, by])).toEqual([
      [false, true, 'Anna Kessler'],
      [true, false, 'Anna Kessler'],
    ])
    const { json: history } = await bench.ask<{ entries: { sentence: string; change?: string }[] }>(
      'GET',
      '/api/history',
      { cookie },
    )
    expect(history.entries[1]).toMatchObject({
      sentence: 'Changed “Tell the version of this server” from on to off.',
      change: json.change,
    })
  })

  test('cannot be taken back when somebody changed them since', async () => {
    const first = await put(key, false)
    await put(key, true)
    expect((await undo(first.json.change)).json.error).toMatchObject({ code: 'changed-since', field: key })
    expect((await undo('999999')).json.error.code).toBe('not-found')
  })

  test('saying the same again is no change', async () => {
    expect((await put(key, true)).json.change).toBeNull()
  })

  test('that do not fit are refused with the sentence and the key', async () => {
    const { status, json } = await put(key, 'yes')
    expect(status).toBe(422)
    expect(json.error).toMatchObject({ code: 'refused', field: key })
    expect((await put('version.unknown', true)).json.error.code).toBe('not-found')
    expect((await put('__proto__.toString', true)).status).toBe(404)
    expect((await put('version.constructor', true)).status).toBe(404)
  })
})

test('a union of named values is shown as a choice', () => {
  const schema = {
    anyOf: [
      { const: 30, title: '30 days' },
      { const: 365, title: '1 year' },
    ],
    default: 30,
  }
  expect(shownSchema(schema)).toEqual({ type: 'number', enum: [30, 365], choices: { 30: '30 days', 365: '1 year' } })
})
