import { type Static, Type } from 'typebox'
import { Accounts } from './accounts.ts'
import { feature } from './feature.ts'
import { ArchiveQueue } from './queue.ts'
import { Rosters } from './roster.ts'
import { Settings } from './settings.ts'

/** What of the core has settings or tables, declared like any feature so that the settings page and migrations know it. */

const sessionSettings = Type.Object({
  perPerson: Type.Integer({
    title: 'Devices per person at the same time',
    description:
      'Phones, PCs and browser windows count one each. When all are taken, the one that is away longest goes.',
    default: 20,
    minimum: 1,
    maximum: 500,
  }),
  conflict: Type.Union(
    [
      Type.Literal('end-old', { title: 'The older connection ends' }),
      Type.Literal('refuse-new', { title: 'The newer connection is refused' }),
      Type.Literal('new-resource', { title: 'Both stay' }),
    ],
    {
      title: 'Same device name twice',
      description: 'Apps usually come back under the same name after they lost the connection.',
      default: 'end-old',
    },
  ),
})

export type SessionSettings = Static<typeof sessionSettings>

const passwordSettings = Type.Object({
  iterations: Type.Integer({
    title: 'Work to try one password',
    description:
      'How often a new password is hashed (SCRAM iterations). More is safer and makes sign-in slower on phones.',
    default: 10_000,
    minimum: 4_096,
    maximum: 1_000_000,
  }),
})

export type PasswordSettings = Static<typeof passwordSettings>

export const coreFeatures = [
  feature({
    name: 'settings',
    title: 'Settings',
    standards: [],
    migrations: Settings.migrations,
    start: () => undefined,
  }),
  feature({
    name: 'passwords',
    title: 'Passwords',
    page: 'Sign-in',
    standards: [
      { id: 'RFC 5802', title: 'SCRAM-SHA-1 and SCRAM-SHA-1-PLUS' },
      { id: 'RFC 7677', title: 'SCRAM-SHA-256 and SCRAM-SHA-256-PLUS' },
    ],
    settings: passwordSettings,
    migrations: Accounts.migrations,
    start: () => undefined,
  }),
  feature({
    name: 'sessions',
    title: 'Connected devices',
    page: 'Sign-in',
    standards: [],
    settings: sessionSettings,
    start: () => undefined,
  }),
  feature({
    name: 'rosters',
    title: 'Contact lists',
    standards: [],
    migrations: Rosters.migrations,
    start: () => undefined,
  }),
  feature({
    name: 'messages',
    title: 'Messages',
    standards: [
      { id: 'RFC 6120', title: 'XMPP core' },
      { id: 'RFC 7622', title: 'Addresses' },
      { id: 'XEP-0334', title: 'Message Processing Hints', version: '1.0.0' },
    ],
    migrations: ArchiveQueue.migrations,
    start: () => undefined,
  }),
]
