/** What keeps the window a window on the own server and nothing else, whatever a page tries. The rules are in navigation.ts. */
import { type App, type Session, shell, type WebContents, type WebPreferences } from 'electron'
import { judge, mayHave, mayLoad } from './navigation.ts'

/** Known to Electron before 14 only, where it has to be switched off. */
const withoutRemote: object = { enableRemoteModule: false }

/** How pages run: in the sandbox, without Node, apart from whatever Electron adds. Written out, because defaults differ by version. */
export const pagePreferences: WebPreferences = {
  sandbox: true,
  contextIsolation: true,
  nodeIntegration: false,
  nodeIntegrationInWorker: false,
  nodeIntegrationInSubFrames: false,
  webSecurity: true,
  allowRunningInsecureContent: false,
  webviewTag: false,
  devTools: false,
  navigateOnDragDrop: false,
  spellcheck: false,
  ...withoutRemote,
}

/** The origin of the own server; undefined while none is known. */
export type Home = () => string | undefined

/** Locks a session before any page is in it. */
export function lockSession(session: Session, home: Home): void {
  session.webRequest.onBeforeRequest((details, callback) => callback({ cancel: !mayLoad(details.url, home()) }))
  session.setPermissionRequestHandler((contents, permission, callback) =>
    callback(mayHave(permission, contents.getURL(), home())),
  )
  session.setPermissionCheckHandler((_contents, permission, origin) => mayHave(permission, origin, home()))
  // Pages come over loopback, which needs no TLS: there is no certificate that would be right.
  session.setCertificateVerifyProc((_request, callback) => callback(CERTIFICATE_REFUSED))
}

/** Chromium's word for it. */
const CERTIFICATE_REFUSED = -2

/**
 * Locks everything that will ever show a page.
 * @param onOwnLink takes the links of our own few pages (`lanthorn:start`); false: not one of them
 */
export function lockContents(app: App, home: Home, onOwnLink: (url: string) => boolean): void {
  app.on('web-contents-created', (_event, contents) => {
    const leave = (event: { preventDefault(): void }, url: string): void => {
      const verdict = judge(url, home())
      if (verdict === 'here') return
      event.preventDefault()
      if (isOwnPage(contents) && onOwnLink(url)) return
      if (verdict === 'outside') openOutside(url)
    }
    contents.on('will-navigate', (event, url) => leave(event, url))
    contents.on('will-redirect', (event, url) => leave(event, url))
    contents.on('will-attach-webview', event => event.preventDefault())
    refuseWindows(contents, home)
  })
}

/** Our own few pages are no server's. */
function isOwnPage(contents: WebContents): boolean {
  return contents.getURL().startsWith('data:')
}

/** There is one window: a page that asks for another one gets the system's browser, or nothing. */
function refuseWindows(contents: WebContents, home: Home): void {
  const open = (url: string): void => {
    if (judge(url, home()) !== 'refused') openOutside(url)
  }
  if ('setWindowOpenHandler' in contents) {
    contents.setWindowOpenHandler(({ url }) => {
      open(url)
      return { action: 'deny' }
    })
    return
  }
  // Electron before 12.
  const older = contents as {
    on(name: 'new-window', act: (event: { preventDefault(): void }, url: string) => void): void
  }
  older.on('new-window', (event, url) => {
    event.preventDefault()
    open(url)
  })
}

/** The address was judged before. A desktop without a program for it is nobody's loss. */
function openOutside(url: string): void {
  shell.openExternal(url).catch(() => undefined)
}
