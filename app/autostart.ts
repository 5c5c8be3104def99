/** “Start with the computer”: the tray comes up, without a window, when this person logs in. */
import { existsSync, promises as files, readFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { app } from 'electron'

/** What is started: the program and its arguments. */
export interface Command {
  readonly program: string
  readonly args: readonly string[]
}

/** The name of the file, ours and that of a package that starts the tray for everybody. */
const ENTRY = 'lanthorn-desktop.desktop'
const entryForAll = path.join('/etc/xdg/autostart', ENTRY)

/** Whether it is started. */
export function startsWithComputer({ program, args }: Command): boolean {
  if (process.platform !== 'linux') return app.getLoginItemSettings({ path: program, args: [...args] }).openAtLogin
  const own = entryFile()
  if (!existsSync(own)) return existsSync(entryForAll)
  return !/^Hidden=true$/m.test(readFileSync(own, 'utf8'))
}

/** Changes it. @throws Error of node when the home folder cannot be written */
export async function startWithComputer(on: boolean, command: Command): Promise<void> {
  const { program, args } = command
  if (process.platform !== 'linux') {
    app.setLoginItemSettings({ openAtLogin: on, path: program, args: [...args] })
    return
  }
  const own = entryFile()
  const isForAll = existsSync(entryForAll)
  if (on === isForAll) {
    if (existsSync(own)) await files.unlink(own)
    return
  }
  await files.mkdir(path.dirname(own), { recursive: true })
  // Beside its place first: half an entry would be one that starts nothing.
  await files.writeFile(`${own}.new`, desktopEntry(command, { isHidden: !on }))
  await files.rename(`${own}.new`, own)
}

/** Desktop Application Autostart Specification: a file of the same name in the home folder wins. */
function entryFile(): string {
  return path.join(process.env.XDG_CONFIG_HOME || path.join(os.homedir(), '.config'), 'autostart', ENTRY)
}

/** Such a file. `isHidden` means in the specification's own words that it is as good as not there. */
function desktopEntry({ program, args }: Command, { isHidden }: { isHidden: boolean }): string {
  const lines = [
    '[Desktop Entry]',
    'Type=Application',
    'Name=Lanthorn',
    `Exec=${[program, ...args].map(quoted).join(' ')}`,
  ]
  return [...lines, 'Terminal=false', ...(isHidden ? ['Hidden=true'] : []), ''].join('\n')
}

/** Desktop Entry Specification, “The Exec key”: in quotes, with a backslash before what a shell would take for its own. */
function quoted(word: string): string {
  const inQuotes = word.replace(/["`$\\]/g, '\\$&').replace(/%/g, '%%')
  // The whole line is a string of the file, in which a backslash stands for itself only when doubled.
  return `"${inQuotes}"`.replace(/\\/g, '\\\\')
}
