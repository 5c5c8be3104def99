/** `lanthorn stop`: stops the server of this PC in order. Windows has no signal for that: its service runs this command. */
import { setTimeout } from 'node:timers/promises'
import { stopHere } from '../admin/contract/desktop.ts'
import { connect, findRun } from './client.ts'
import { isAlive } from './run-file.ts'

/** The server itself gives up after 30 seconds. */
const LOOKS_MAX = 400
const LOOK_MS = 100

/** Tells the server to stop, and waits until its process has ended. @returns exit code 0, or 1 when it goes on @throws CallFault */
export async function stop(
  place: { readonly folder: string; readonly runFolder?: string | undefined },
  { json, print }: { json: boolean; print: (text: string) => void },
): Promise<number> {
  const run = await findRun(place.folder, place.runFolder)
  const call = await connect(place.folder, place.runFolder)
  await call(stopHere)
  const stopped = run === undefined || (await hasEnded(run.pid))
  const sentence = stopped ? 'Chat on this PC is stopped.' : 'The server was told to stop, but has not ended yet.'
  print(json ? JSON.stringify({ stopped }) : sentence)
  return stopped ? 0 : 1
}

async function hasEnded(pid: number): Promise<boolean> {
  for (let looks = 0; looks < LOOKS_MAX; looks++) {
    if (!isAlive(pid)) return true
    await setTimeout(LOOK_MS)
  }
  return false
}
