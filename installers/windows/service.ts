/** Builds the Windows service (service/*.c) with the mingw-w64 compiler, on any computer that has it. */
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { aptInstall, onPath } from '../apt.mjs'
import { must } from '../parts/fetch.ts'
import { root, run } from '../set-up.mjs'

const compiler = 'x86_64-w64-mingw32-gcc'
const compileMs = 60_000
/** Warnings are faults; nothing of this computer and of this moment gets into the program; it can be loaded anywhere in memory. */
const flags = [
  ...['-std=c11', '-Wall', '-Wextra', '-Werror', '-Os', '-s', '-municode'],
  ...['-Wl,--no-insert-timestamp', '-Wl,--dynamicbase', '-Wl,--nxcompat', '-Wl,--high-entropy-va'],
]

/** Writes lanthorn-service.exe into a folder. @returns the file @throws Error with a sentence: no compiler, or a fault in the source */
export async function buildService(folder: string): Promise<string> {
  const gcc =
    onPath([compiler]) ?? ((await aptInstall(['gcc-mingw-w64-x86-64-win32'])) ? onPath([compiler]) : undefined)
  if (gcc === undefined) {
    throw new Error(`The Windows service needs the compiler ${compiler}: install mingw-w64 (apt, dnf, brew, MSYS2).`)
  }
  const source = path.join(root, 'installers', 'windows', 'service')
  const file = path.join(folder, 'lanthorn-service.exe')
  await mkdir(folder, { recursive: true })
  const args = [...flags, 'service.c', 'register.c', '-o', file]
  await must('build the Windows service', run(gcc, args, { timeoutMs: compileMs, cwd: source }))
  return file
}
