/** Takes away what only debuggers read of programs and libraries: 25 MB. */
import { onPath } from '../apt.mjs'
import { elfFilesIn } from '../files.ts'
import { run } from '../set-up.mjs'
import { isHere, type Target } from '../targets.ts'
import { must } from './fetch.ts'

const stripMs = 2 * 60_000

/** Only on Linux, and only programs of this computer: there `strip` is known to be right. Without it they stay as they are. */
export async function strip(target: Target, folder: string): Promise<void> {
  const tool = onPath(['strip'])
  if (target.os !== 'linux' || !isHere(target) || tool === undefined) return
  const args = ['--strip-unneeded', ...(await elfFilesIn(folder))]
  await must('strip programs', run(tool, args, { timeoutMs: stripMs }))
}
