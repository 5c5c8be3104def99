import type { Session } from '../../../server/admin/contract/session.ts'
import type { RecoverySheet } from '../../../server/admin/contract/setup.ts'
import type { Trouble } from '../api.ts'

/** What the wizard has been told so far; kept while its pages come and go, gone with the window. */
export const answers = $state({
  office: '',
  domain: '',
  /** The person wrote the domain themselves: it no longer follows the name of the office. */
  domainIsOwn: false,
  databaseIsOwn: false,
  databaseUrl: '',
  name: '',
  username: '',
  usernameIsOwn: false,
  password: '',
})

/** What came of them. */
export const outcome = $state<{
  making: boolean
  trouble?: Trouble | undefined
  made?: { session: Session; recovery: RecoverySheet } | undefined
}>({ making: false })
