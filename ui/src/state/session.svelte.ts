import { getSession, openLink, type Session, signOut } from '../../../server/admin/contract/session.ts'
import { getSetup } from '../../../server/admin/contract/setup.ts'
import { CallFailed, call, onSignedOut, type Trouble, troubleIn } from '../api.ts'
import { go, place } from './router.svelte.ts'

/** Why a session ended that nobody ended here: it was not used, or the office was put back to a backup. */
export type Ended = 'unused' | 'restored'

/** What the whole page is about right now. */
export type Stage =
  | { at: 'loading' }
  | { at: 'trouble'; trouble: Trouble }
  | { at: 'setup' }
  | { at: 'sign-in'; office: string; ended?: Ended | undefined; trouble?: Trouble | undefined }
  | { at: 'inside'; session: Session }

const now = $state<{ stage: Stage }>({ stage: { at: 'loading' } })
let office = ''
let isRestoring = false

/** The stage; reactive. */
export function stage(): Stage {
  return now.stage
}

/** Finds out what to show: set-up, sign-in, or the office. */
export async function begin(): Promise<void> {
  onSignedOut(sessionEnded)
  try {
    const linkTrouble = await useLink()
    const setup = await call(getSetup)
    office = setup.office ?? ''
    if (setup.state !== 'ready') {
      now.stage = { at: 'setup' }
      return
    }
    const session = await sessionOrNone()
    // Set-up is over: none of its pages is there any more. In one turn with the stage, or the wizard would call it back.
    if (place().path.startsWith('/setup')) go('/', 'replace')
    const ended = isRestoring ? 'restored' : undefined
    now.stage = session ? { at: 'inside', session } : { at: 'sign-in', office, ended, trouble: linkTrouble }
  } catch (thrown) {
    now.stage = { at: 'trouble', trouble: troubleIn(thrown) }
  }
}

/** The server has ended the session: back to the sign-in page, which says so. */
export function sessionEnded(): void {
  // The very first "who am I" is answered like this too, when nobody was inside yet.
  if (now.stage.at === 'inside') now.stage = { at: 'sign-in', office, ended: isRestoring ? 'restored' : 'unused' }
}

/** The office is being put back to a backup, which ends all sessions; false: it was not put back after all. */
export function expectRestore(is: boolean): void {
  isRestoring = is
}

async function sessionOrNone(): Promise<Session | undefined> {
  try {
    return await call(getSession)
  } catch (thrown) {
    if (thrown instanceof CallFailed && thrown.trouble.code === 'not-signed-in') return undefined
    throw thrown
  }
}

/** A link from the tray carries its one-use token behind the #: it is taken out of the address before anything else. */
async function useLink(): Promise<Trouble | undefined> {
  const token = /^#token=([\w-]+)$/.exec(location.hash)?.[1]
  if (!token) return undefined
  go('/', 'replace')
  try {
    await call(openLink, { body: { token } })
    return undefined
  } catch (thrown) {
    return troubleIn(thrown)
  }
}

/** Who is signed in, for the pages inside; asked once as a page comes up. @throws Error when nobody is. */
export function inside(): Session {
  if (now.stage.at !== 'inside') throw new Error('a page of the office is shown to nobody')
  return now.stage.session
}

/** Someone has signed in, or has just made the office. */
export function enter(session: Session): void {
  office = session.office
  isRestoring = false
  now.stage = { at: 'inside', session }
}

/** Signs out, and shows the sign-in page whatever the server says. */
export async function leave(): Promise<void> {
  await call(signOut).catch(troubleIn)
  now.stage = { at: 'sign-in', office }
  go('/', 'replace')
}
