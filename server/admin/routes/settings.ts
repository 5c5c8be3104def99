import type { SettingChange as StoredChange } from '../../core/settings.ts'
import type { RouteParts } from '../admin.ts'
import {
  changeSetting,
  listChanges,
  listSettings,
  type Setting,
  type SettingChange,
  type SettingPage,
  type SettingSaved,
  type SettingSchema,
  type SettingValue,
  settingPages,
  undoChange,
} from '../contract/settings.ts'
import type { OpenOffice } from '../open-office.ts'
import { refusal } from '../problem.ts'
import { type Call, callerOf, type Desk } from '../serve.ts'

const CHANGES_DEFAULT = 50
/** How far back an undo or a “changed by” is looked for. */
const CHANGES_KEPT = 5_000
/** What of a JSON Schema the pages can show (contract/settings.ts). */
const shownParts = [
  'type',
  'enum',
  'choices',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'maxItems',
  'pattern',
  'format',
  'unit',
] as const

type PropertySchema = Record<string, unknown> & {
  title?: string
  description?: string
  default?: SettingValue
  advanced?: boolean
}

export function settingRoutes(desk: Desk, { office, events }: RouteParts): void {
  /** Sets one value and tells of it. */
  const save = async (call: Pick<Call<unknown>, 'request'>, key: string, value: SettingValue, words: string) => {
    const { parts: chat, history } = office()
    const before = mustFind(office(), key, new Map())
    const { name, address } = callerOf(call)
    await chat.settings.set(key, value, name)
    const isChange = JSON.stringify(before.value) !== JSON.stringify(value)
    const [newest] = isChange ? await changesOf(office(), key, 1) : []
    const change = newest?.id ?? null
    const setting = mustFind(office(), key, await lastChanges(office()))
    if (isChange) {
      const sentence = `${words} “${before.title}” from ${shown(before, before.value)} to ${shown(setting, setting.value)}.`
      await history.add({
        by: name,
        kind: 'setting',
        sentence,
        address,
        ...(change !== null && { change }),
        before: before.value,
        after: value,
      })
      events.tell('setting', { key, by: name })
    }
    return { setting, change, pcs: pcsOf(office()) }
  }

  desk.serve(listSettings, async () => {
    const changes = await lastChanges(office())
    const groups = office()
      .parts.settings.declarations()
      .map(({ feature, title, page, schema }) => ({
        page: pageOf(page),
        feature,
        title,
        settings: Object.entries(schema.properties).map(([name, property]) =>
          describe(office(), `${feature}.${name}`, property as PropertySchema, changes),
        ),
      }))
    return { groups: groups.filter(group => group.settings.length > 0).sort((a, b) => rankOf(a.page) - rankOf(b.page)) }
  })

  desk.serve(changeSetting, call => save(call, call.params.key, call.body.value, 'Changed'))

  desk.serve(undoChange, async call => {
    const change = (await changesOf(office(), undefined, CHANGES_KEPT)).find(one => one.id === call.body.change)
    if (!change) throw refusal('not-found', 'This change is too old to be taken back.')
    const setting = mustFind(office(), change.key, new Map())
    if (JSON.stringify(setting.value) !== JSON.stringify(change.after)) {
      throw refusal('changed-since', `“${setting.title}” has been changed since, so nothing was taken back.`, {
        field: change.key,
      })
    }
    return save(call, change.key, change.before as SettingValue, 'Changed back')
  })

  desk.serve(listChanges, async ({ query }) => {
    const { key, limit = CHANGES_DEFAULT } = query
    const changes = await changesOf(office(), key, limit)
    return { changes: changes.map(change => toChange(office(), change)) }
  })
}

/** How far the settings have got; a PC that is off gets them when it is back. */
function pcsOf({ parts: chat }: OpenOffice): SettingSaved['pcs'] {
  return chat.nodes.nodes.slice(0, 64).map(({ name, state, settings }) => {
    const isMissing = state === 'off' || state === 'away'
    return { name, state: isMissing ? ('away' as const) : settings }
  })
}

async function changesOf({ parts: chat }: OpenOffice, key: string | undefined, limit: number): Promise<StoredChange[]> {
  if (key === undefined) return chat.settings.history(limit)
  return (await chat.settings.history(CHANGES_KEPT)).filter(change => change.key === key).slice(0, limit)
}

/** The newest change of each setting. */
async function lastChanges({ parts: chat }: OpenOffice): Promise<Map<string, StoredChange>> {
  const newestFirst = await chat.settings.history(CHANGES_KEPT)
  return new Map(newestFirst.reverse().map(change => [change.key, change]))
}

function toChange(office: OpenOffice, { id, key, before, after, by, at }: StoredChange): SettingChange {
  const title = schemaOf(office, key)?.title ?? key
  return { id, key, title, from: before as SettingValue, to: after as SettingValue, by, at: at.toISOString() }
}

function mustFind(office: OpenOffice, key: string, changes: Map<string, StoredChange>): Setting {
  const schema = schemaOf(office, key)
  if (!schema) throw refusal('not-found', `There is no setting called ${key}.`, { field: key })
  return describe(office, key, schema, changes)
}

function schemaOf({ parts: chat }: OpenOffice, key: string): PropertySchema | undefined {
  const dot = key.indexOf('.')
  const declared = chat.settings.declarations().find(one => one.feature === key.slice(0, dot))
  const properties = declared?.schema.properties as Record<string, PropertySchema> | undefined
  const name = key.slice(dot + 1)
  return properties && Object.hasOwn(properties, name) ? properties[name] : undefined
}

function describe(
  { parts: chat }: OpenOffice,
  key: string,
  schema: PropertySchema,
  changes: Map<string, StoredChange>,
): Setting {
  const fallback = schema.default as SettingValue
  const value = (chat.settings.values()[key] ?? fallback) as SettingValue
  const change = changes.get(key)
  const isDefault = JSON.stringify(value) === JSON.stringify(fallback)
  return {
    key,
    title: schema.title ?? key,
    ...(schema.description !== undefined && { description: schema.description }),
    advanced: schema.advanced === true,
    schema: shownSchema(schema),
    default: fallback,
    value,
    ...(change && !isDefault && { changedBy: change.by, changedAt: change.at.toISOString() }),
  }
}

/** The part of a schema that pages know; a union of literals is a choice. */
export function shownSchema(schema: PropertySchema): SettingSchema {
  const literals = (schema.anyOf as { const?: string | number; title?: string }[] | undefined)?.filter(
    one => one.const !== undefined,
  )
  if (literals && literals.length > 0) {
    const titled = literals.filter(one => one.title !== undefined)
    return {
      type: typeof literals[0]?.const === 'number' ? 'number' : 'string',
      enum: literals.map(one => one.const as string | number),
      ...(titled.length > 0 && {
        choices: Object.fromEntries(titled.map(one => [String(one.const), one.title ?? ''])),
      }),
    }
  }
  return Object.fromEntries(
    shownParts.filter(part => schema[part] !== undefined).map(part => [part, schema[part]]),
  ) as SettingSchema
}

/** A value as it stands in a sentence; what is secret is not shown. */
function shown({ schema }: Setting, value: SettingValue): string {
  if (schema.format === 'password') return '(hidden)'
  if (typeof value === 'boolean') return value ? 'on' : 'off'
  const choice = schema.choices?.[String(value)]
  if (choice !== undefined) return `“${choice}”`
  const text = Array.isArray(value) ? value.join(', ') : String(value)
  const cut = text.length > 80 ? `${text.slice(0, 80)}…` : text
  return typeof value === 'number' ? `${cut}${schema.unit ? ` ${schema.unit}` : ''}` : `“${cut}”`
}

const pageOf = (page: string): SettingPage => {
  const id = page.toLowerCase().replaceAll(' ', '-')
  return (settingPages as readonly string[]).includes(id) ? (id as SettingPage) : 'advanced'
}
const rankOf = (page: SettingPage): number => settingPages.indexOf(page)
