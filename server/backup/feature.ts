/** The settings of backups, declared like those of any feature. */
import path from 'node:path'
import { type Static, Type } from 'typebox'
import { feature } from '../core/feature.ts'

const settings = Type.Object({
  enabled: Type.Boolean({
    title: 'A backup every day',
    description: 'Made and proven while people go on chatting.',
    default: true,
  }),
  time: Type.String({
    title: 'Time of day',
    description: 'On the clock of this PC. If the PC is off then, the backup is made after it was switched on.',
    default: '03:00',
    pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$',
  }),
  folder: Type.String({
    title: 'Folder',
    description:
      'A folder on another disk, or a share of another PC: a backup on the same disk is lost together with it. Empty: in the folder of this PC’s data.',
    default: '',
    maxLength: 1_000,
  }),
  daily: Type.Integer({ title: 'Days of which the backup is kept', default: 7, minimum: 1, maximum: 90 }),
  weekly: Type.Integer({ title: 'Weeks of which a backup is kept', default: 4, minimum: 0, maximum: 52 }),
  monthly: Type.Integer({ title: 'Months of which a backup is kept', default: 6, minimum: 0, maximum: 60 }),
  proveAgain: Type.Boolean({
    title: 'Prove the newest backup again every month',
    description: 'Each backup is proven when it is made; files can also go bad later.',
    default: true,
  }),
})
/** Static of the settings of backups. */
export type BackupSettings = Static<typeof settings>

/** The page “Backup” of the settings. */
export const backupFeature = feature({
  name: 'backup',
  title: 'Backup',
  page: 'Backup',
  standards: [],
  settings,
  start: server => {
    server.onSettings({
      verify: ({ folder, time }) => {
        if (!/^([01]\d|2[0-3]):[0-5]\d$/.test(time))
          throw new Error(`“${time}” is no time of day: write it like 03:00.`)
        if (folder !== '' && !path.isAbsolute(folder)) {
          throw new Error(`“${folder}” is not a whole path: begin with / or a drive letter, as in ${exampleFolder}.`)
        }
      },
    })
  },
})

const exampleFolder = process.platform === 'win32' ? '\\\\OTHER-PC\\backups' : '/mnt/backups'
