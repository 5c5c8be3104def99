/** Stopping and starting the server around an installation. */
import { spawn } from 'node:child_process'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { partsIn } from '../program.ts'
import { isAlive, type Running, readRunning } from './readiness.ts'
import { runProgram } from './run-program.ts'

/** A server hands its people over first. */
const STOP_MS = 90_000
const START_MS = 120_000
const LOOK_MS = 100

export interface Service {
  /** Resolves when it does not run any more, whatever it takes. */
  stop(): Promise<void>
  /** Resolves when its start was begun. */
  start(): Promise<void>
}

/** A service of systemd. */
export function systemdService(unit: string): Service {
  return {
    async stop() {
      await runProgram('systemctl', ['stop', unit], { limitMs: STOP_MS })
    },
    async start() {
      // A unit that failed too often may not be started again before that is forgotten.
      await runProgram('systemctl', ['reset-failed', unit], { limitMs: START_MS })
      await runProgram('systemctl', ['start', '--no-block', unit], { limitMs: START_MS })
    },
  }
}

/**
 * A server that somebody runs as himself.
 * @param options.arguments how it was started
 * @param options.othersMs whoever watches over it (the program with the tray icon) may start it again by itself meanwhile
 */
export function ownService(options: {
  dataDir: string
  top: string
  arguments: readonly string[]
  othersMs: number
}): Service {
  const { dataDir, top, othersMs } = options
  return {
    async stop() {
      const running = await readRunning(dataDir)
      if (!running) return
      process.kill(running.pid, 'SIGTERM')
      if (await ended(running, STOP_MS)) return
      process.kill(running.pid, 'SIGKILL')
      await ended(running, STOP_MS)
    },
    async start() {
      for (let waited = 0; waited < othersMs; waited += LOOK_MS) {
        if (await readRunning(dataDir)) return
        await delay(LOOK_MS)
      }
      const node = path.join(partsIn(top), 'node', 'bin', 'node')
      const main = path.join(partsIn(top), 'server', 'main.js')
      const server = spawn(node, [main, ...options.arguments], { detached: true, stdio: 'ignore', cwd: dataDir })
      server.on('error', () => undefined) // that none runs is seen by who waits for it
      server.unref()
    },
  }
}

async function ended({ pid }: Running, limitMs: number): Promise<boolean> {
  for (let waited = 0; waited < limitMs; waited += LOOK_MS) {
    if (!isAlive(pid)) return true
    await delay(LOOK_MS)
  }
  return !isAlive(pid)
}
