// `npm start -- [options]`: sets up what a fresh clone lacks, then runs the server with the same options.
import { spawn } from 'node:child_process'
import module from 'node:module'
import { constants } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { cacheFolder, root, runsServer, SetUpError, say, serverNode, setUp, stopRunning } from './set-up.mjs'

const options = process.argv.slice(2)
const main = join(root, 'server', 'main.ts')
const compiled = join(cacheFolder, 'compiled')
const signals = ['SIGTERM', 'SIGINT', 'SIGHUP']

await prepare()
if (runsServer()) await runHere()
else runInChild()

async function prepare() {
  const stop = signal => {
    stopRunning()
    process.exit(128 + constants.signals[signal])
  }
  for (const signal of signals) process.on(signal, stop)
  try {
    await setUp({ ui: isRun() })
  } catch (error) {
    if (!(error instanceof SetUpError)) throw error
    say(error.message)
    process.exit(1)
  }
  for (const signal of signals) process.off(signal, stop)
}

/** Only the server itself shows admin pages; `status`, `user add` and the others do not wait for them. */
function isRun() {
  return options[0] === undefined || options[0] === 'run' || options[0].startsWith('-')
}

/** No second process: the server takes this one over, with its signals and its exit code. */
async function runHere() {
  module.enableCompileCache?.(compiled)
  process.argv[1] = main
  onParentGone(() => process.kill(process.pid, 'SIGTERM'))
  await import(pathToFileURL(main).href)
}

/** The first start on an older Node: the server runs in the newer one that has just been installed. */
function runInChild() {
  const env = { NODE_COMPILE_CACHE: compiled, ...process.env }
  // A password or a recovery key may come through a pipe; the server itself reads nothing.
  const input = isRun() ? 'ignore' : 'inherit'
  const child = spawn(serverNode(), [main, ...options], { stdio: [input, 'inherit', 'inherit'], env })
  for (const signal of signals) {
    process.on(signal, () => {
      // Ctrl+C in a terminal reaches the child by itself; a second one would mean "at once".
      if (!(signal === 'SIGINT' && process.stdout.isTTY)) child.kill(signal)
    })
  }
  onParentGone(() => child.kill('SIGTERM'))
  child.on('error', error => {
    say(`Lanthorn could not start its server (${error.message}): delete the folder node_modules and start again.`)
    process.exit(1)
  })
  child.on('close', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
}

/**
 * A signal sent to `npm start` ends npm and its shell, and never reaches what they run: without this the server would go on
 * alone, invisible to the person who believes to have stopped it. On Windows the parent's number does not change.
 */
function onParentGone(stop) {
  if (process.env.npm_lifecycle_event !== 'start' || process.platform === 'win32') return
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    stop()
  }, 500)
  timer.unref()
}
