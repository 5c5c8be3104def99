/** The one window: the admin pages of the server on this PC, signed in for who sits here; or a page of our own while there is none. */
import { userInfo } from 'node:os'
import { BrowserWindow, nativeTheme } from 'electron'
import { AskFault, ask, lines } from './api.ts'
import { pagePreferences } from './hardening.ts'
import { ownPageOf, SIGN_IN_PAGE } from './own-page.ts'
import type { RunFile } from './run-file.ts'
import type { Situation } from './tray-state.ts'

/** How long the page may take to say whether it is signed in. */
const PAGE_ANSWER_MS = 3_000
const background = { light: '#f6f4f0', dark: '#14161a' } as const

/** What is shown: a page of ours, or the pages of the server at an origin. */
type Shown = { readonly at: 'own' } | { readonly at: 'pages'; readonly origin: string }

export interface OfficeWindowOptions {
  readonly icon: string
  readonly canStart: boolean
  readonly situation: () => Situation
  /** The person has closed it. */
  readonly onClosed: () => void
}

/** At most one window; closing it ends its pages, and nothing else. */
export class OfficeWindow {
  readonly #options: OfficeWindowOptions
  #window: BrowserWindow | undefined
  #shown: Shown = { at: 'own' }

  constructor(options: OfficeWindowOptions) {
    this.#options = options
  }

  /** Where pages may come from now. */
  get home(): string | undefined {
    const { situation } = this.#options
    const now = situation()
    if ('run' in now && now.run) return originOf(now.run)
    if (now.at === 'locked') return new URL(SIGN_IN_PAGE).origin
    return this.#shown.at === 'pages' ? this.#shown.origin : undefined
  }

  /**
   * Shows it, on a page when one is named.
   * @param page as the pages themselves name it: `/people`
   */
  async open(page?: string): Promise<void> {
    const window = this.#ready()
    window.show()
    window.focus()
    await this.#settle(window, page)
  }

  /** Ends it at once: a page that hangs is not asked whether it may be closed. */
  close(): void {
    this.#window?.destroy()
  }

  /** The server came, went, or changed its place: what the window shows follows. */
  async follow(before: Situation): Promise<void> {
    const window = this.#window
    const now = this.#options.situation()
    if (!window || (before.at === now.at && whereOf(before) === whereOf(now))) return
    // The wizard signs its person in itself.
    if (before.at === 'fresh' && now.at === 'up' && this.#isAt(now.run)) return
    // Pages of a server that goes tell so themselves, and go on by themselves when it is back.
    if (now.at !== 'up' && now.at !== 'fresh' && this.#shown.at === 'pages') return
    await this.#settle(window)
  }

  /** The sign-in page, for somebody who may not look after the service. */
  async openSignIn(): Promise<void> {
    if (this.#window)
      await this.#load(this.#window, SIGN_IN_PAGE, { at: 'pages', origin: new URL(SIGN_IN_PAGE).origin })
  }

  async #settle(window: BrowserWindow, page?: string): Promise<void> {
    const now = this.#options.situation()
    if (now.at === 'up') return this.#showOffice(window, now.run, page)
    if (now.at === 'fresh') return this.#isAt(now.run) ? undefined : this.#loadLink(window, now.run)
    if (now.at === 'starting' && now.run) {
      // The pages answer first and tick off the rest.
      return this.#load(window, now.run.adminUrl, { at: 'pages', origin: originOf(now.run) })
    }
    await this.#load(window, this.#ownPage(now), { at: 'own' })
  }

  #ownPage(situation: Parameters<typeof ownPageOf>[0]): string {
    const { canStart } = this.#options
    return ownPageOf(situation, { canStart, account: userInfo().username, platform: process.platform })
  }

  async #showOffice(window: BrowserWindow, run: RunFile, page: string | undefined): Promise<void> {
    if (!this.#isAt(run) || !(await isSignedIn(window))) await this.#loadLink(window, run)
    // Only what stands behind the # changes: the pages go there without being loaded again, which Electron may call a load that failed.
    if (page !== undefined) await window.loadURL(`${originOf(run)}/#${page}`).catch(() => undefined)
  }

  /** Opens the pages signed in; where no link can be had, they ask for the password. */
  async #loadLink(window: BrowserWindow, run: RunFile): Promise<void> {
    let url = run.adminUrl
    try {
      url = (await ask(run, lines.createLink)).url
    } catch (error) {
      if (!(error instanceof AskFault)) throw error
    }
    await this.#load(window, url, { at: 'pages', origin: originOf(run) })
  }

  #isAt(run: RunFile): boolean {
    return this.#shown.at === 'pages' && this.#shown.origin === originOf(run)
  }

  async #load(window: BrowserWindow, url: string, shown: Shown): Promise<void> {
    this.#shown = shown
    try {
      await window.loadURL(url)
    } catch (error) {
      // A later load took over, or the page itself went on: that settles what is shown.
      if (shown.at === 'own' || (error as { code?: unknown }).code === 'ERR_ABORTED') return
      if (window.isDestroyed() || window.webContents.isLoading()) return
      // The server went in the middle of it: an empty window would say nothing.
      await this.#load(window, this.#ownPage({ at: 'lost' }), { at: 'own' })
    }
  }

  #ready(): BrowserWindow {
    if (this.#window) return this.#window
    const window = new BrowserWindow({
      width: 1180,
      height: 800,
      minWidth: 380,
      minHeight: 480,
      title: 'Lanthorn',
      icon: this.#options.icon,
      autoHideMenuBar: true,
      backgroundColor: nativeTheme.shouldUseDarkColors ? background.dark : background.light,
      webPreferences: pagePreferences,
    })
    window.on('closed', () => {
      this.#window = undefined
      this.#shown = { at: 'own' }
      this.#options.onClosed()
    })
    this.#window = window
    return window
  }
}

/** Where its pages are; for a server that cannot start, why. */
function whereOf(situation: Situation): string | undefined {
  if (situation.at === 'failed') return situation.sentence
  return 'run' in situation ? situation.run?.adminUrl : undefined
}

const originOf = (run: RunFile): string => new URL(run.adminUrl).origin

/** Asks the page itself: only its own cookie says who is signed in. */
async function isSignedIn(window: BrowserWindow): Promise<boolean> {
  const question = "fetch('/api/session').then(answer => answer.status)"
  const late = new Promise<void>(resolve => setTimeout(resolve, PAGE_ANSWER_MS))
  const asked = window.webContents.executeJavaScript(question).catch(() => undefined)
  return (await Promise.race([asked, late])) === 200
}
