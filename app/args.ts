/** What the command line of the shell says. Chromium's own switches may stand among ours and are left to it. */
import path from 'node:path'

export interface Arguments {
  /** Starts into the tray, without a window. */
  readonly isHidden: boolean
  /** The data folder of an own server; with it no service is looked for. */
  readonly data: string | undefined
  /** Where the shell keeps what is its own; tests get a fresh one. */
  readonly profileDir: string | undefined
  /** The folder of the server's program: `runtime`, or a checkout. */
  readonly program: string | undefined
}

/**
 * Reads it.
 * @param cwd what relative folders are relative to
 * @returns the arguments, or one sentence when they cannot be used
 */
export function parseArguments(argv: readonly string[], cwd: string): Arguments | { readonly fault: string } {
  const folders = new Map<string, string>()
  for (const name of ['--data', '--profile-dir', '--program']) {
    const value = folderBehind(argv, name)
    if (value === '') return { fault: `${name} needs a folder behind it.` }
    if (value !== undefined) folders.set(name, path.resolve(cwd, value))
  }
  return {
    isHidden: argv.includes('--hidden'),
    data: folders.get('--data'),
    profileDir: folders.get('--profile-dir'),
    program: folders.get('--program'),
  }
}

/** `--name VALUE` or `--name=VALUE`; '' when the value is missing, undefined when the option is. */
function folderBehind(argv: readonly string[], name: string): string | undefined {
  const at = argv.findIndex(word => word === name || word.startsWith(`${name}=`))
  const word = argv[at]
  if (word === undefined) return undefined
  if (word !== name) return word.slice(name.length + 1)
  const next = argv[at + 1] ?? ''
  return next.startsWith('-') ? '' : next
}
