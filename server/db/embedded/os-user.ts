/** The operating system user that runs PostgreSQL when the server itself is root (PostgreSQL refuses to run as root). */
import { execFile } from 'node:child_process'
import { lchown, readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { EmbeddedFault } from '../errors.ts'

export interface OsUser {
  name: string
  uid: number
  gid: number
}

const userName = 'lanthorn-db'

/** Ways to make a system user without a home or a login, the common one first. */
const makers: [string, string[]][] = [
  [
    'useradd',
    [
      '--system',
      '--user-group',
      '--no-create-home',
      '--home-dir',
      '/nonexistent',
      '--shell',
      '/usr/sbin/nologin',
      userName,
    ],
  ],
  ['adduser', ['-S', '-D', '-H', '-h', '/nonexistent', '-s', '/sbin/nologin', userName]],
]

/**
 * The user to run PostgreSQL as: undefined (ourselves) when we are not root, else `lanthorn-db`, made when missing.
 * @throws EmbeddedFault with a sentence when the user cannot be made
 */
export async function databaseUser(): Promise<OsUser | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const known = await lookUp(userName)
  if (known) return known
  for (const [program, options] of makers) {
    try {
      await promisify(execFile)(program, options, { timeout: 20_000 })
    } catch {
      continue // not this way; whether any way worked is seen in the look-up
    }
    const made = await lookUp(userName)
    if (made) return made
  }
  const made = (await lookUp(userName)) ?? (await lookUp('postgres'))
  if (made) return made
  throw new EmbeddedFault(
    `PostgreSQL does not run as root, and the user "${userName}" could not be made: add it (useradd --system ${userName}), start Lanthorn as an ordinary user, or name an outside database.`,
  )
}

async function lookUp(name: string): Promise<OsUser | undefined> {
  for (const line of (await readFile('/etc/passwd', 'utf8')).split('\n')) {
    const [found, , uid, gid] = line.split(':')
    if (found === name) return { name, uid: Number(uid), gid: Number(gid) }
  }
  return undefined
}

/** Whether `user` may pass all folders above `file` and may read it. */
export async function canReach(file: string, user: OsUser): Promise<boolean> {
  let need = 0o5 // read and run the file itself
  for (let at = file; ; at = path.dirname(at)) {
    const { mode, uid, gid } = await stat(at)
    const bits = uid === user.uid ? mode >> 6 : gid === user.gid ? mode >> 3 : mode
    if ((bits & need) !== need) return false
    if (at === path.dirname(at)) return true
    need = 0o1 // pass through the folder
  }
}

/** Gives a folder and all in it to `user` when it belongs to somebody else (a restored backup, a moved folder). */
export async function giveFolder(folder: string, user: OsUser): Promise<void> {
  if ((await stat(folder)).uid === user.uid) return
  const names = await readdir(folder, { recursive: true })
  for (const name of names) await lchown(path.join(folder, name), user.uid, user.gid)
  await lchown(folder, user.uid, user.gid)
}
