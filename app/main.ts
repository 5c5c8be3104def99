/** The desktop shell: tray and window of the person at this PC. Everything it shows is the server's; every part has a file of its own. */
import path from 'node:path'
import { app, Menu, session } from 'electron'
import { type Arguments, parseArguments } from './args.ts'
import type { Command } from './autostart.ts'
import { lockContents, lockSession } from './hardening.ts'
import { Shell } from './shell.ts'
import { isFirstInstance } from './single-instance.ts'

/** The command line cannot be used (DESIGN section 9). */
const MISUNDERSTOOD = 2

main(parseArguments(process.argv, process.cwd()))

function main(found: Arguments | { readonly fault: string }): void {
  if ('fault' in found) {
    process.stderr.write(`${found.fault}\n`)
    app.exit(MISUNDERSTOOD)
    return
  }
  // Not the folder that Electron would take: on macOS that is the server's own data folder.
  app.setPath('userData', found.profileDir ?? path.join(app.getPath('appData'), 'Lanthorn Desktop'))
  app.setAppUserModelId('org.lanthorn.desktop')
  // Root, as in a container of a test, cannot have one and says so with Chromium's own switch; windows ask for theirs in any case.
  if (!app.commandLine.hasSwitch('no-sandbox')) app.enableSandbox()
  let shell: Shell | undefined
  if (!isFirstInstance(() => shell?.show())) {
    app.quit()
    return
  }
  // Closing the window ends the window.
  app.on('window-all-closed', () => undefined)
  app.on('activate', () => shell?.show())
  lockContents(
    app,
    () => shell?.home,
    url => shell?.followOwnLink(url) ?? false,
  )
  void app.whenReady().then(async () => {
    if (process.platform !== 'darwin') Menu.setApplicationMenu(null)
    lockSession(session.defaultSession, () => shell?.home)
    shell = await Shell.start({ args: found, appFolder: app.getAppPath(), command: commandOf(found) })
  })
}

/** What starts this shell again at the next log-in, just as it was started now. */
function commandOf({ data, profileDir, program }: Arguments): Command {
  const folders = { '--data': data, '--profile-dir': profileDir, '--program': program }
  const given = Object.entries(folders).flatMap(([name, folder]) => (folder === undefined ? [] : [name, folder]))
  // Only an installed one is a program of its own.
  const own = app.isPackaged ? [] : [app.getAppPath()]
  return { program: process.execPath, args: [...own, ...given, '--hidden'] }
}
