/** What makes the Windows set-up, on any computer that has it. */
import { existsSync } from 'node:fs'
import { aptInstall, onPath } from '../apt.mjs'

export interface WindowsTools {
  /** The mingw-w64 compiler. */
  readonly gcc: string
  /** NSIS 3. */
  readonly makensis: string
}

const nsisOnWindows = 'C:\\Program Files (x86)\\NSIS\\makensis.exe'

/** Found, or on Debian fetched. @returns what is missing, when it cannot be had */
export async function windowsTools(): Promise<WindowsTools | string> {
  const found = find()
  if (typeof found !== 'string') return found
  await aptInstall(['nsis', 'gcc-mingw-w64-x86-64-win32'])
  return find()
}

function find(): WindowsTools | string {
  const gcc = onPath(['x86_64-w64-mingw32-gcc'])
  if (gcc === undefined) return 'the compiler of mingw-w64 is not here (apt, dnf, brew and MSYS2 have it)'
  const makensis = onPath(['makensis']) ?? (existsSync(nsisOnWindows) ? nsisOnWindows : undefined)
  if (makensis === undefined) return 'NSIS is not here (apt, dnf, brew and winget have it)'
  return { gcc, makensis }
}
