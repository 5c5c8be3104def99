import type { Session } from '../../../server/admin/contract/session.ts'
import { checkDatabase, type RecoverySheet } from '../../../server/admin/contract/setup.ts'
import { call, type Trouble } from '../api.ts'
import { Trial } from '../database/trial.svelte.ts'

/** What the wizard has been told so far; kept while its pages come and go, gone with the window. */
export const answers = $state({
  office: '',
  domain: '',
  /** The person wrote the domain themselves: it no longer follows the name of the office. */
  domainIsOwn: false,
  databaseIsOwn: false,
  name: '',
  username: '',
  usernameIsOwn: false,
  password: '',
})

/** The office's own PostgreSQL servers, if it wants its data there. */
export const ownDatabase: Trial = new Trial(url => call(checkDatabase, { body: { url } }))

/** What came of them. */
export const outcome = $state<{
  making: boolean
  trouble?: Trouble | undefined
  made?: { session: Session; recovery: RecoverySheet } | undefined
}>({ making: false })
