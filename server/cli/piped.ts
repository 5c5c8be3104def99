/** What was piped into the program. */
import { fstatSync } from 'node:fs'

const BYTES_MAX = 4_096
const WAIT_MS = 30_000

/** What was piped in cannot be used; the message is a sentence. */
export class PipeFault extends Error {
  override readonly name = 'PipeFault'
}

/**
 * Reads one line of standard input if it is a pipe or a file; a terminal or nothing gives undefined.
 * @param what is expected, for the sentences: “password”
 * @throws PipeFault when there is too much of it, or it stays silent
 */
export async function readPiped(
  what = 'password',
  stdin: typeof process.stdin = process.stdin,
): Promise<string | undefined> {
  if (!isPiped(stdin)) return undefined
  const timer = setTimeout(
    () => stdin.destroy(new PipeFault(`No ${what} came through the pipe: nothing was done.`)),
    WAIT_MS,
  )
  let text = ''
  try {
    stdin.setEncoding('utf8')
    for await (const chunk of stdin) {
      text += chunk
      if (text.length > BYTES_MAX) throw new PipeFault(`Too much came through the pipe: only a ${what} is expected.`)
    }
  } finally {
    clearTimeout(timer)
  }
  const [line = ''] = text.split(/\r?\n/)
  return line === '' ? undefined : line
}

/**
 * The URL of a command line, where `-` means that it stands on standard input.
 * @throws PipeFault when nothing is there
 */
export async function readUrl(typed: string): Promise<string> {
  if (typed !== '-') return typed
  const url = await readPiped('URL')
  if (url === undefined) throw new PipeFault('No URL came through standard input: lanthorn db test - < file.txt.')
  return url
}

function isPiped(stdin: typeof process.stdin): boolean {
  if (stdin.isTTY) return false
  try {
    const kind = fstatSync(stdin.fd)
    return kind.isFIFO() || kind.isFile() || kind.isSocket()
  } catch {
    // A service has no standard input at all.
    return false
  }
}
