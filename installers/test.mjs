// `npm test`: everything that must hold, in one command on a fresh clone. `npm test -- server/xmpp` runs only those tests.
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { cacheFolder, root, SetUpError, say, serverNode, setUp, stopRunning } from './set-up.mjs'
import { findChromium, findDatabases, findElectron, findInstallerTools, findPython } from './test-tools.mjs'

const filters = process.argv.slice(2)
// On an ordinary PC everything takes less than a quarter of an hour; a busy or slow one is given more, but not for ever.
const endsAt = Date.now() + 60 * 60_000
const checkMs = 10 * 60_000
const sum = { passed: 0, failed: 0, skipped: 0 }
const steps = []

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    stopRunning()
    for (const end of ends) end()
    process.exit(128 + constants.signals[signal])
  })
}
const ends = new Set()

try {
  await time('set up', () => setUp({ ui: true }))
} catch (error) {
  if (!(error instanceof SetUpError)) throw error
  say(error.message)
  sum.failed++
  finish()
}
const env = await time('find a browser, Python, databases and Electron', testEnvironment)
if (filters.length === 0) await Promise.all(checks().map(check))
await time('tests', runTests)
finish()

/** The steps of `npm run check`, beside each other; all run even if one fails. */
function checks() {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  return scripts.check.split('&&').map(command => command.trim())
}

async function check(command) {
  const from = performance.now()
  const code = await runShown(command, [], { shell: true, timeoutMs: checkMs, title: command })
  steps.push({ name: command, seconds: (performance.now() - from) / 1000 })
  if (code === 0) sum.passed++
  else sum.failed++
}

async function testEnvironment() {
  const isAsked = name => filters.length === 0 || filters.some(filter => filter.includes(name))
  const chromium = await findChromium({ mayFetch: isAsked('e2e') })
  const python = await findPython({ mayFetch: isAsked('interop') })
  await findDatabases({ mayFetch: isAsked('database') || isAsked('snippets') })
  await findInstallerTools({ mayFetch: isAsked('installers') })
  const electron = await findElectron({ mayFetch: isAsked('desktop') })
  return {
    ...process.env,
    // biome, tsc and the others by name, and for them the Node that vitest needs.
    PATH: [join(root, 'node_modules', '.bin'), dirname(serverNode()), process.env.PATH].join(delimiter),
    NODE_COMPILE_CACHE: join(cacheFolder, 'compiled'),
    ...(chromium && { LANTHORN_CHROMIUM: chromium }),
    ...(python && { LANTHORN_PYTHON: python }),
    ...(electron && { LANTHORN_ELECTRON: electron }),
  }
}

async function runTests() {
  const tally = join(cacheFolder, `tally-${process.pid}.json`)
  mkdirSync(cacheFolder, { recursive: true })
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  const reporters = ['--reporter=default', `--reporter=${join(root, 'installers', 'tally.mjs')}`]
  const args = [vitest, 'run', '--config', join('test', 'vitest.config.ts'), ...reporters, ...filters]
  const code = await runShown(serverNode(), args, {
    timeoutMs: Math.max(60_000, endsAt - Date.now()),
    env: { LANTHORN_TALLY: tally },
  })
  const counted = readTally(tally)
  for (const name of Object.keys(sum)) sum[name] += counted[name]
  if (code === 124) {
    // vitest tells the reasons at its end, which it has not reached.
    say(`The tests were ended because they took too long.${counted.failures.map(failure => `\n× ${failure}`).join('')}`)
    sum.failed++
  } else if (code !== 0 && counted.failed === 0) {
    say(`vitest ended with code ${code} although no test failed.`)
    sum.failed++
  }
}

function readTally(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return { passed: 0, failed: 0, skipped: 0, failures: [] } // not one test ended
  } finally {
    rmSync(file, { force: true })
  }
}

/** Runs a program whose output is for the reader: as it comes, or at its end under a title. Resolves with its exit code, 124 if it ran out of time. */
function runShown(program, args, { timeoutMs, shell = false, env: extra = {}, title }) {
  return new Promise(resolve => {
    // A group of its own, so that nothing it started outlives it.
    const isGroup = process.platform !== 'win32'
    const output = title === undefined ? 'inherit' : 'pipe'
    const stdio = ['ignore', output, output]
    const child = spawn(program, args, { cwd: root, shell, env: { ...env, ...extra }, stdio, detached: isGroup })
    const end = () => {
      if (child.pid === undefined) return
      try {
        process.kill(isGroup ? -child.pid : child.pid, 'SIGKILL')
      } catch (error) {
        if (error.code !== 'ESRCH') throw error // it is gone already
      }
    }
    ends.add(end)
    const told = []
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', chunk => told.push(chunk))
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      end()
    }, timeoutMs)
    const finished = code => {
      clearTimeout(timer)
      ends.delete(end)
      if (title !== undefined) process.stdout.write(`\n── ${title}\n${Buffer.concat(told)}`)
      resolve(isLate ? 124 : code)
    }
    child.on('error', () => finished(127))
    child.on('close', code => finished(code ?? 1))
  })
}

async function time(name, work) {
  process.stdout.write(`\n── ${name}\n`)
  const from = performance.now()
  try {
    return await work()
  } finally {
    steps.push({ name, seconds: (performance.now() - from) / 1000 })
  }
}

function finish() {
  process.stdout.write('\n')
  for (const { name, seconds } of steps) process.stdout.write(`${seconds.toFixed(1).padStart(7)} s  ${name}\n`)
  const skipped = sum.skipped > 0 ? `, ${sum.skipped} skipped` : ''
  process.stdout.write(`${sum.passed} passed, ${sum.failed} failed${skipped}\n`)
  process.exit(sum.failed > 0 ? 1 : 0)
}
