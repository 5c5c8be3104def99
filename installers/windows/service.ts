/** Builds the Windows service (service/*.c). */
import path from 'node:path'
import { must } from '../parts/fetch.ts'
import { root, run } from '../set-up.mjs'

const compileMs = 60_000
/** Warnings are faults; nothing of this computer and of this moment gets into the program; it can be loaded anywhere in memory. */
const flags = [
  ...['-std=c11', '-Wall', '-Wextra', '-Werror', '-Os', '-s', '-municode'],
  ...['-Wl,--no-insert-timestamp', '-Wl,--dynamicbase', '-Wl,--nxcompat', '-Wl,--high-entropy-va'],
]

/** Writes lanthorn-service.exe into a folder. @returns the file @throws Error when there is a fault in the source */
export async function buildService(gcc: string, folder: string): Promise<string> {
  const file = path.join(folder, 'lanthorn-service.exe')
  const args = [...flags, 'service.c', 'register.c', '-o', file]
  const source = path.join(root, 'installers', 'windows', 'service')
  await must('build the Windows service', run(gcc, args, { timeoutMs: compileMs, cwd: source }))
  return file
}
