/** Backups: made by schedule or by hand into a folder, each proven by a restore into a scratch database; and the way back. */
import { type Static, Type } from 'typebox'
import { endpoint, Moment, Wellness } from './endpoint.ts'

/** One backup in the folder. */
export const Backup = Type.Object(
  {
    name: Type.String({ description: 'Name of its folder: “acme-2026-11-22-0300”.' }),
    madeAt: Moment,
    bytes: Type.Integer(),
    people: Type.Integer(),
    messages: Type.Integer(),
    version: Type.String({ description: 'Of the Lanthorn that made it.' }),
    state: Wellness,
    sentence: Type.String({ description: '“Proven by a restore on 22 November.” or what is wrong with it.' }),
    provenAt: Type.Optional(Moment),
  },
  { additionalProperties: false },
)
/** Static of {@link Backup}. */
export type Backup = Static<typeof Backup>

/** What runs now. */
export const BackupJob = Type.Object(
  {
    kind: Type.Union([Type.Literal('backup'), Type.Literal('proof'), Type.Literal('restore')]),
    state: Type.Union([Type.Literal('running'), Type.Literal('done'), Type.Literal('failed')]),
    name: Type.String(),
    sentence: Type.String(),
    percent: Type.Number({ minimum: 0, maximum: 100 }),
    startedAt: Moment,
    endedAt: Type.Optional(Moment),
  },
  { additionalProperties: false },
)
/** Static of {@link BackupJob}. */
export type BackupJob = Static<typeof BackupJob>

/** GET: where backups go, when, which there are, what runs. */
export const listBackups = endpoint({
  method: 'GET',
  path: '/api/backups',
  access: 'admin',
  summary: 'The backups in the folder, and what runs now',
  reply: Type.Object(
    {
      folder: Type.String(),
      state: Wellness,
      sentence: Type.String({ description: '“Every night at 3:00; the last one is 9 hours old and proven.”' }),
      nextAt: Type.Optional(Moment),
      backups: Type.Array(Backup, { maxItems: 500, description: 'Newest first.' }),
      job: Type.Optional(BackupJob),
    },
    { additionalProperties: false },
  ),
})

/** POST: makes a backup now, and proves it. Answers when it has begun. */
export const makeBackup = endpoint({
  method: 'POST',
  path: '/api/backups',
  access: 'admin',
  summary: 'Makes a backup now and proves it',
  reply: BackupJob,
})

/** POST: restores a backup into a scratch database and compares; the office is not touched. */
export const proveBackup = endpoint({
  method: 'POST',
  path: '/api/backups/:name/proof',
  access: 'admin',
  summary: 'Proves a backup by a restore into a scratch database',
  params: Type.Object({ name: Type.String({ minLength: 1, maxLength: 200 }) }, { additionalProperties: false }),
  reply: BackupJob,
})

/**
 * POST: puts the office back to what the backup holds. Everything since is set aside, not deleted: the present database is kept.
 * Everybody is signed out for some seconds.
 */
export const restoreBackup = endpoint({
  method: 'POST',
  path: '/api/backups/:name/restore',
  access: 'admin',
  summary: 'Puts the office back to a backup; the present database is kept aside',
  params: Type.Object(
    { name: Type.String({ minLength: 1, maxLength: 1000, description: 'Or the whole path of the folder of one.' }) },
    { additionalProperties: false },
  ),
  body: Type.Object(
    {
      confirm: Type.String({ description: 'The domain of the office, typed again.' }),
      url: Type.Optional(
        Type.String({
          maxLength: 4000,
          description: 'An empty outside database to restore into; needed with an outside one.',
        }),
      ),
    },
    { additionalProperties: false },
  ),
  reply: BackupJob,
})
