/** Programs of the system, run to their end: bounded in time and in what is kept of their words. */
import { spawn } from 'node:child_process'

const KEPT_MAX = 4_000

export interface Ran {
  /** 0: it says that all went well. */
  readonly code: number
  /** The end of what it wrote. */
  readonly words: string
}

/** Runs a program without a terminal; nobody is there to answer its questions. Never throws. */
export function runProgram(program: string, args: readonly string[], options: { limitMs: number }): Promise<Ran> {
  return new Promise(resolve => {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' }
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env })
    let words = ''
    const keep = (chunk: Buffer): void => {
      words = (words + chunk.toString('utf8')).slice(-KEPT_MAX)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    const late = setTimeout(() => {
      words += `\nEnded, because it took longer than ${Math.round(options.limitMs / 1_000)} s.`
      child.kill('SIGKILL')
    }, options.limitMs)
    const end = (code: number, more = ''): void => {
      clearTimeout(late)
      resolve({ code, words: `${words}${more}`.trim() })
    }
    child.on('error', error => end(127, error.message))
    // Not `close`: what it left running in the background may hold its output open for ever.
    child.on('exit', code => end(code ?? 137))
  })
}

/** The last line of what a program wrote, for a sentence. */
export function lastLine({ words, code }: Ran): string {
  const line = words.split('\n').findLast(one => one.trim() !== '')
  return (line ?? `code ${code}`).trim().slice(0, 300)
}
