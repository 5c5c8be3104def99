/** Settings: printed from the features’ own schemas, changed one at a time, live on every PC, with undo and history. */
import { type Static, Type } from 'typebox'
import { endpoint, limits, Moment } from './endpoint.ts'

/** The part of JSON Schema that a setting may use; anything else is a fault of the feature and fails its test. */
export const SettingSchema = Type.Object({
  type: Type.Union([
    Type.Literal('boolean'),
    Type.Literal('integer'),
    Type.Literal('number'),
    Type.Literal('string'),
    Type.Literal('array', { description: 'Of strings: a list with one entry a line.' }),
  ]),
  enum: Type.Optional(Type.Array(Type.Union([Type.String(), Type.Number()]), { maxItems: 50 })),
  choices: Type.Optional(
    Type.Record(Type.String(), Type.String(), {
      description: 'What each value of enum is called: { "365": "1 year" }.',
    }),
  ),
  minimum: Type.Optional(Type.Number()),
  maximum: Type.Optional(Type.Number()),
  minLength: Type.Optional(Type.Integer()),
  maxLength: Type.Optional(Type.Integer()),
  maxItems: Type.Optional(Type.Integer()),
  pattern: Type.Optional(Type.String()),
  format: Type.Optional(Type.String({ description: '“multiline”, “password”, “uri”, “hostname”.' })),
  unit: Type.Optional(Type.String({ description: 'Written behind a number: “seconds”, “bytes”, “days”.' })),
})
/** Static of {@link SettingSchema}. */
export type SettingSchema = Static<typeof SettingSchema>

/** A value of a setting: what its schema allows. */
export const SettingValue = Type.Unsafe<boolean | number | string | string[]>({
  // One list of types rather than anyOf: a validator that converts text must leave each of them as it is.
  type: ['boolean', 'number', 'string', 'array'],
  maxLength: 10_000,
  items: { type: 'string', maxLength: 1000 },
  maxItems: 1000,
})
/** Static of {@link SettingValue}. */
export type SettingValue = Static<typeof SettingValue>

/** One setting with its value. */
export const Setting = Type.Object(
  {
    key: Type.String({ description: '“registration.open”: feature, dot, name.' }),
    title: Type.String(),
    description: Type.Optional(Type.String()),
    advanced: Type.Boolean({ description: 'Stands behind “Details”.' }),
    schema: SettingSchema,
    default: SettingValue,
    value: SettingValue,
    changedBy: Type.Optional(Type.String({ description: 'Absent while it has its default.' })),
    changedAt: Type.Optional(Moment),
  },
  { additionalProperties: false },
)
/** Static of {@link Setting}. */
export type Setting = Static<typeof Setting>

/** The pages, in order. A feature says which one it belongs to; what says nothing stands on `advanced`. */
export const settingPages = [
  'general',
  'sign-in',
  'messages',
  'rooms',
  'files',
  'other-servers',
  'certificates',
  'backup',
  'pcs',
  'updates',
  'advanced',
] as const
/** Static of the page ids. */
export type SettingPage = (typeof settingPages)[number]

/** One change of one setting. */
export const SettingChange = Type.Object(
  {
    id: Type.String(),
    key: Type.String(),
    title: Type.String(),
    from: SettingValue,
    to: SettingValue,
    by: Type.String({ description: 'Name of the person, of the token, or “autosetup”.' }),
    at: Moment,
  },
  { additionalProperties: false },
)
/** Static of {@link SettingChange}. */
export type SettingChange = Static<typeof SettingChange>

/** What a change came to: the new state of the setting, and how far it has got. */
export const SettingSaved = Type.Object(
  {
    setting: Setting,
    change: Type.Union([Type.String(), Type.Null()], { description: 'Id for undo; null when nothing changed.' }),
    pcs: Type.Array(
      Type.Object(
        {
          name: Type.String(),
          state: Type.Union([Type.Literal('applied'), Type.Literal('away')]),
        },
        { additionalProperties: false },
      ),
      { maxItems: 64 },
    ),
  },
  { additionalProperties: false },
)
/** Static of {@link SettingSaved}. */
export type SettingSaved = Static<typeof SettingSaved>

/** GET: all settings, grouped by page and feature. */
export const listSettings = endpoint({
  method: 'GET',
  path: '/api/settings',
  access: 'admin',
  summary: 'All settings with their schemas and values',
  reply: Type.Object(
    {
      groups: Type.Array(
        Type.Object(
          {
            page: Type.Unsafe<SettingPage>({ type: 'string', enum: [...settingPages] }),
            feature: Type.String(),
            title: Type.String({ description: 'Plain words: “Message archive”.' }),
            standard: Type.Optional(Type.String({ description: '“XEP-0313”, “RFC 6121”.' })),
            settings: Type.Array(Setting, { maxItems: 100 }),
          },
          { additionalProperties: false },
        ),
        { maxItems: 200 },
      ),
    },
    { additionalProperties: false },
  ),
})

const key = Type.Object({ key: Type.String({ minLength: 1, maxLength: 120 }) })

/** PUT: one value. A feature that says no answers `refused` with its sentence and `field` = the key. */
export const changeSetting = endpoint({
  method: 'PUT',
  path: '/api/settings/:key',
  access: 'admin',
  summary: 'Changes one setting',
  params: key,
  body: Type.Object({ value: SettingValue }, { additionalProperties: false }),
  reply: SettingSaved,
})

/** POST: takes a change back, if the setting still has the value of that change (else `changed-since`). */
export const undoChange = endpoint({
  method: 'POST',
  path: '/api/settings/undo',
  access: 'admin',
  summary: 'Takes a change of a setting back',
  body: Type.Object({ change: Type.String({ minLength: 1, maxLength: 64 }) }, { additionalProperties: false }),
  reply: SettingSaved,
})

/** GET: who changed what, newest first. */
export const listChanges = endpoint({
  method: 'GET',
  path: '/api/settings/changes',
  access: 'admin',
  summary: 'Who changed which setting',
  query: Type.Object(
    {
      key: Type.Optional(Type.String({ maxLength: 120 })),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.pageOf, default: 50 })),
    },
    { additionalProperties: false },
  ),
  reply: Type.Object(
    { changes: Type.Array(SettingChange, { maxItems: limits.pageOf }) },
    { additionalProperties: false },
  ),
})
