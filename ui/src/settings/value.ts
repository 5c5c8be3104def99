/** How values of settings are shown and read back. */
import type { Setting, SettingSchema, SettingValue } from '../../../server/admin/contract/settings.ts'
import { bytes, count } from '../messages/format.ts'
import type { Messages } from '../messages/say.ts'

/** A value as people read it: “On”, “1 year”, “10 MB”. */
export function shown(schema: SettingSchema, value: SettingValue, say: Messages, locale: string): string {
  if (typeof value === 'boolean') return value ? say.settings.on : say.settings.off
  const chosen = schema.choices?.[String(value)]
  if (chosen) return chosen
  if (typeof value === 'number') {
    if (schema.unit === 'bytes') return bytes(value, locale)
    return schema.unit ? `${count(value, locale)} ${schema.unit}` : count(value, locale)
  }
  const text = Array.isArray(value) ? value.join(', ') : value
  return text === '' ? say.settings.empty : text
}

/** A value as it stands in an input. */
export function typed(value: SettingValue): string {
  return Array.isArray(value) ? value.join('\n') : String(value)
}

/** What was typed as a value of the setting; undefined when a number is wanted and this is none. */
export function read(schema: SettingSchema, text: string): SettingValue | undefined {
  switch (schema.type) {
    case 'boolean':
      return text === 'true'
    case 'integer':
    case 'number': {
      const number = Number(text.trim().replace(',', '.'))
      return text.trim() === '' || !Number.isFinite(number) ? undefined : number
    }
    case 'string':
      return schema.format === 'multiline' ? text : text.trim()
    case 'array':
      return text
        .split('\n')
        .map(line => line.trim())
        .filter(line => line !== '')
    default:
      return schema.type satisfies never
  }
}

/** True when two values are the same. */
export function same(a: SettingValue, b: SettingValue): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

/** True when the setting has not the value it came with. */
export function isChanged(setting: Setting): boolean {
  return !same(setting.value, setting.default)
}
