// Prints the program of the Electron that the tests of the desktop app run on, if it works here; with `--fetch` it is fetched first.
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { fetchForTests, folderForTests } from './electron.ts'
import { targetHere } from './targets.ts'

const versionMs = 20_000

const target = targetHere()
if (!target) throw new Error('There is no Electron for this system.')
const folder = process.argv.includes('--fetch') ? await fetchForTests(target) : folderForTests(target)
const program = path.join(folder, 'electron')
// Root, as in a container, may not use Chromium's sandbox.
const { status } = spawnSync(program, ['--version', '--no-sandbox'], { timeout: versionMs, stdio: 'ignore' })
if (status === 0) process.stdout.write(`${program}\n`)
process.exitCode = status === 0 ? 0 : 1
