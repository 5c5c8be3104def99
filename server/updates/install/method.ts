/** How one version takes the place of another, and back: by the system's package manager, or by moving the folder of the program. */
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { UpdateFault } from '../fault.ts'
import { partsIn, readProgram } from '../program.ts'
import { linkTree, makeLike } from './program-copy.ts'
import { lastLine, type Ran, runProgram } from './run-program.ts'

const INSTALL_MS = 10 * 60_000
/** Another installation may be under way on this PC. */
const BUSY_TRIES = 20
const BUSY_PAUSE_MS = 15_000

export interface Method {
  /** Whether the server may run while its files change: it is then stopped afterwards, so that whoever starts it again starts the new one. */
  readonly whileRunning: boolean
  /** Keeps the program as it is, for `putBack`. Changes nothing of it. */
  keep(): Promise<void>
  /** @throws UpdateFault */
  install(file: string): Promise<void>
  /** The program is as it was kept; can be repeated. @returns false: nothing was kept, so nothing was changed */
  putBack(): Promise<boolean>
  /** Removes what was kept. */
  forget(): Promise<void>
}

/** dpkg or rpm. @param top the folder of the program */
export function packageMethod(kind: 'deb' | 'rpm', top: string): Method {
  const [previous, part] = [`${top}.previous`, `${top}.previous.part`]
  const [program, args] =
    kind === 'deb'
      ? // Changed configuration files stay as they are: nobody is there to be asked.
        ['dpkg', ['--force-confold', '--force-confdef', '--install']]
      : ['rpm', ['--upgrade', '--replacepkgs', '--oldpackage']]
  return {
    whileRunning: false,
    async keep() {
      for (const leftover of [part, previous]) await rm(leftover, { recursive: true, force: true })
      await linkTree(top, part)
      await rename(part, previous)
    },
    async install(file) {
      let ran = await run(program, args, file)
      for (let tries = 1; isBusy(ran) && tries < BUSY_TRIES; tries++) {
        await delay(BUSY_PAUSE_MS)
        ran = await run(program, args, file)
      }
      if (ran.code !== 0) throw new UpdateFault(`${program} could not install the package: ${lastLine(ran)}`)
    },
    async putBack() {
      if (!existsSync(previous)) return false
      await makeLike(previous, top)
      return true
    },
    async forget() {
      for (const leftover of [part, previous]) await rm(leftover, { recursive: true, force: true })
    },
  }
}

const run = (program: string, args: readonly string[], file: string): Promise<Ran> =>
  runProgram(program, [...args, file], { limitMs: INSTALL_MS })

/** Each says it in its own words; nothing was changed then. */
const isBusy = ({ code, words }: Ran): boolean =>
  code !== 0 && /frontend lock was locked|unable to lock|can't create transaction lock|database is locked/i.test(words)

/** A folder of the program that belongs to who runs it. @param version what must be in the archive */
export function folderMethod(top: string, version: string): Method {
  const [previous, next, failed] = [`${top}.previous`, `${top}.next`, `${top}.failed`]
  const forget = async (): Promise<void> => {
    for (const leftover of [next, failed, previous]) await rm(leftover, { recursive: true, force: true })
  }
  return {
    whileRunning: true,
    keep: forget, // the folder itself is kept, under another name
    async install(file) {
      await mkdir(next)
      const ran = await runProgram('tar', ['-xf', file, '-C', next, '--strip-components=1'], { limitMs: INSTALL_MS })
      if (ran.code !== 0) throw new UpdateFault(`The archive could not be unpacked: ${lastLine(ran)}`)
      await mustHold(next, version)
      await rename(top, previous)
      await rename(next, top)
    },
    async putBack() {
      if (!existsSync(previous)) return false
      await rm(failed, { recursive: true, force: true })
      if (existsSync(top)) await rename(top, failed)
      await rename(previous, top)
      return true
    },
    forget,
  }
}

/** Whether a folder of the program holds the version that the list of updates names. @throws UpdateFault */
export async function mustHold(top: string, version: string): Promise<void> {
  const found = await readProgram(partsIn(top)).catch(() => undefined) // what cannot be read is not that version
  if (found?.version === version) return
  throw new UpdateFault(`The package holds ${found ? `version ${found.version}` : 'no Lanthorn'}, and not ${version}.`)
}
