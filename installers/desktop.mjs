// `npm run desktop -- [options]`: sets up what a fresh clone lacks, then starts the desktop app from it, with the Electron of npm (fetched by
// its package the first time) or the one in the folder ELECTRON_OVERRIDE_DIST_PATH.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { cacheFolder, root, run, SetUpError, say, serverNode, setUp } from './set-up.mjs'

const bundleMs = 60_000
const fetchMs = 10 * 60_000
const shell = join(cacheFolder, 'desktop')

try {
  await setUp({ ui: true })
  await must('be built', run(serverNode(), [join(root, 'app', 'build.ts'), shell], { timeoutMs: bundleMs }))
  const found = await must(
    'find its Electron',
    run(serverNode(), ['-p', "require('electron')"], { timeoutMs: fetchMs }),
  )
  start(found.trim().split('\n').at(-1))
} catch (error) {
  if (!(error instanceof SetUpError)) throw error
  say(error.message)
  process.exit(1)
}

function start(electron) {
  const child = spawn(electron, [shell, '--program', root, ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => child.kill(signal))
  child.on('error', error => {
    say(`Electron could not be started: ${error.message}.`)
    process.exit(1)
  })
  child.on('close', code => process.exit(code ?? 1))
}

async function must(what, running) {
  const { code, output } = await running
  if (code === 0) return output
  const reason = /\w*Error: .*/.exec(output)?.[0] ?? `code ${code}`
  throw new SetUpError(`The desktop app could not ${what} (${reason}).`)
}
