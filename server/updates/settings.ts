/** What an administrator can set about updates. All off: nobody looks for any, until somebody says where they come from. */
import { type Static, Type } from 'typebox'
import { feature } from '../core/feature.ts'
import { feedTrouble } from './feed.ts'
import { turnMigrations } from './turn.ts'

const settings = Type.Object({
  feed: Type.String({
    title: 'Where updates come from',
    description:
      'An address that begins with https:// (or http:// in the office’s own network), or a folder or share that every PC can read. Whatever lies there is only used when it is signed by the makers of Lanthorn. Empty: nobody looks for updates.',
    default: '',
    maxLength: 1_000,
  }),
  automatic: Type.Boolean({
    title: 'Install updates at night',
    description:
      'One PC after the other, never two at once. It stops as soon as something is not as it should be, and goes back to the old version where the new one fails.',
    default: false,
  }),
  hour: Type.Integer({
    title: 'From which hour on',
    description: 'On the clock of each PC, within three hours.',
    default: 3,
    minimum: 0,
    maximum: 23,
  }),
})
/** Static of the settings about updates. */
export type UpdateSettings = Static<typeof settings>

/** The page “Updates” of the settings. */
export const updatesFeature = feature({
  name: 'updates',
  title: 'Updates',
  page: 'Updates',
  standards: [],
  settings,
  migrations: turnMigrations,
  start: server => {
    server.onSettings({
      verify: ({ feed }) => {
        const trouble = feedTrouble(feed)
        if (trouble !== undefined) throw new Error(trouble)
      },
    })
  },
})
