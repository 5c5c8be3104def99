// What tests need from outside npm: a browser, a Python with the chat library slixmpp, and Debian's PostgreSQL with what people put around
// it. Found where the computer has them, fetched where it may be done unasked, else told in one sentence which tests are left out.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { aptInstall, onPath, onPathAll } from './apt.mjs'
import { cacheFolder, root, run, say, serverNode } from './set-up.mjs'

const lookMs = 20_000
const fetchMs = 5 * 60_000
const slixmpp = 'slixmpp>=1.8,<2'
const isWindows = process.platform === 'win32'

/**
 * Chromium for the tests of the admin pages.
 * @param {{ mayFetch: boolean }} how `false`: only look for it.
 * @returns {Promise<string | undefined>} the path of its program.
 */
export async function findChromium({ mayFetch }) {
  const known = process.env.LANTHORN_CHROMIUM
  if (known) return known
  const found = onPath(['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']) ?? playwrightsOwn()
  if (found || !mayFetch) return found
  if (await aptInstall(['chromium'])) return onPath(['chromium'])
  say('Fetching Chromium for the tests of the admin pages…')
  const playwright = join(root, 'node_modules', 'playwright-core', 'cli.js')
  await run(serverNode(), [playwright, 'install', 'chromium'], { timeoutMs: fetchMs })
  const fetched = playwrightsOwn()
  if (!fetched) {
    say(
      'The tests in test/e2e are left out, because there is no Chromium: install it, or name its program in LANTHORN_CHROMIUM.',
    )
  }
  return fetched
}

/**
 * A Python that can import slixmpp, for test/interop.
 * @param {{ mayFetch: boolean }} how `false`: only look for it.
 * @returns {Promise<string | undefined>} the path of the interpreter (or of a script that runs it).
 */
export async function findPython({ mayFetch }) {
  const own = pythonIn(join(cacheFolder, 'venv'))
  for (const python of [process.env.LANTHORN_PYTHON, own]) {
    if (python && (await canChat(python))) return python
  }
  if (!mayFetch) return undefined
  say('Fetching the Python chat library slixmpp for test/interop…')
  const made = (await makeVenv(own)) ?? ((await aptInstall(['python3-venv'])) ? await makeVenv(own) : undefined)
  const python = made ?? (await installBeside())
  if (!python) {
    say(
      'The tests with slixmpp in test/interop are left out, because no Python with it could be made: install Python 3.9 or newer with venv and pip, or name one in LANTHORN_PYTHON.',
    )
  }
  return python
}

/** What stands around an office: Debian's names of the programs, and of the packages that bring them. */
const around = { pgbouncer: 'pgbouncer', haproxy: 'haproxy', apache2: 'apache2-bin' }

/**
 * PostgreSQL with repmgr, PgBouncer, HAProxy and Apache, for test/database and server/snippets. The tests look for them by themselves, in the
 * same places.
 * @param {{ mayFetch: boolean }} how `false`: only look for them.
 * @returns {Promise<void>}
 */
export async function findDatabases({ mayFetch }) {
  const lacks = () => [
    ...(hasRepmgr() ? [] : ['postgresql-15', 'postgresql-15-repmgr']),
    ...Object.entries(around).flatMap(([program, name]) => (hasProgram(program) ? [] : [name])),
  ]
  if (!mayFetch || lacks().length === 0) return
  await aptInstall(lacks(), { services: ['postgresql', 'repmgrd', 'pgbouncer', 'haproxy', 'apache2'] })
  if (lacks().length > 0) {
    say(
      `The tests in test/database and server/snippets that need them are left out, because these are missing: ${lacks().join(', ')}. Install them (any PostgreSQL from 14 to 18 with its repmgr will do), or name the folder of PostgreSQL's programs in LANTHORN_POSTGRES.`,
    )
  }
}

/** What makes and looks at installers: programs, and Debian's names of the packages that bring them. */
const forInstallers = {
  makensis: 'nsis',
  'x86_64-w64-mingw32-gcc': 'gcc-mingw-w64-x86-64-win32',
  shellcheck: 'shellcheck',
  rpmbuild: 'rpm',
  systemctl: 'systemd',
}

/**
 * NSIS, a compiler for Windows, Wine, a checker of scripts, rpmbuild and systemd, for test/installers, whose tests look for them by themselves.
 * @param {{ mayFetch: boolean }} how `false`: only look for them.
 * @returns {Promise<void>}
 */
export async function findInstallerTools({ mayFetch }) {
  const hasWine = () => existsSync('/usr/lib/wine/wine64') || hasProgram('wine64') || hasProgram('wine')
  const lacks = () => [
    ...Object.entries(forInstallers).flatMap(([program, name]) => (hasProgram(program) ? [] : [name])),
    ...(hasWine() ? [] : ['wine64']),
  ]
  if (!mayFetch || isWindows || lacks().length === 0) return
  await aptInstall(lacks())
  if (lacks().length > 0) {
    say(`The tests in test/installers that need them are left out, because these are missing: ${lacks().join(', ')}.`)
  }
}

/** What a desktop is made of that nobody sees, and Electron's libraries, in Debian's names. */
const forDesktop = { Xvfb: 'xvfb', 'dbus-daemon': 'dbus', xdotool: 'xdotool' }
const forElectron = [
  'libgtk-3-0',
  'libnss3',
  'libasound2',
  'libxss1',
  'libgbm1',
  'libnotify4',
  'libayatana-appindicator3-1',
]

/**
 * Electron, for test/desktop: an old one that PyPI has, which proves that the desktop app runs on old and new ones. Linux only.
 * @param {{ mayFetch: boolean }} how `false`: only look for it.
 * @returns {Promise<string | undefined>} the path of its program.
 */
export async function findElectron({ mayFetch }) {
  const known = process.env.LANTHORN_ELECTRON
  if (known || process.platform !== 'linux') return known
  const lacks = () => Object.entries(forDesktop).flatMap(([program, name]) => (hasProgram(program) ? [] : [name]))
  const script = join(root, 'installers', 'electron-for-tests.ts')
  const look = async (...how) => {
    const { code, output } = await run(serverNode(), [script, ...how], { timeoutMs: fetchMs })
    return code === 0 ? output.trim().split('\n').at(-1) : undefined
  }
  let found = await look()
  if (!mayFetch || (found && lacks().length === 0)) return found
  await aptInstall([...lacks(), ...forElectron])
  found ??= await look('--fetch')
  if (!found || lacks().length > 0) {
    const missing = [...(found ? [] : ['Electron']), ...lacks()].join(', ')
    say(
      `The tests in test/desktop are left out, because these are missing: ${missing}. Name the program of an Electron in LANTHORN_ELECTRON.`,
    )
  }
  return found
}

/** Debian keeps each version of PostgreSQL in a folder of its own. */
function hasRepmgr() {
  const versions = '/usr/lib/postgresql'
  const folders = existsSync(versions) ? readdirSync(versions).map(version => join(versions, version, 'bin')) : []
  const named = process.env.LANTHORN_POSTGRES
  return [...(named ? [named] : []), ...folders].some(folder => existsSync(join(folder, 'repmgrd')))
}

function hasProgram(name) {
  return onPath([name]) !== undefined || existsSync(`/usr/sbin/${name}`)
}

async function makeVenv(python) {
  for (const system of onPathAll(['python3', 'python'])) {
    const venv = join(cacheFolder, 'venv')
    mkdirSync(cacheFolder, { recursive: true })
    const made = await run(system, ['-m', 'venv', '--clear', venv], { timeoutMs: fetchMs })
    if (made.code !== 0) continue
    await run(python, ['-m', 'pip', 'install', '--quiet', slixmpp], { timeoutMs: fetchMs })
    if (await canChat(python)) return python
  }
  return undefined
}

/** Pythons without venv but with pip: the library goes into a folder of ours, and a script points to it. */
async function installBeside() {
  if (isWindows) return undefined
  for (const system of onPathAll(['python3', 'python'])) {
    const folder = join(cacheFolder, 'site')
    await run(system, ['-m', 'pip', 'install', '--quiet', '--target', folder, slixmpp], { timeoutMs: fetchMs })
    const script = join(cacheFolder, 'python')
    writeFileSync(script, `#!/bin/sh\nPYTHONPATH='${folder}' exec '${system}' "$@"\n`, { mode: 0o755 })
    if (await canChat(script)) return script
  }
  return undefined
}

function pythonIn(venv) {
  return isWindows ? join(venv, 'Scripts', 'python.exe') : join(venv, 'bin', 'python')
}

async function canChat(python) {
  return (await run(python, ['-c', 'import slixmpp'], { timeoutMs: lookMs })).code === 0
}

function playwrightsOwn() {
  const { chromium } = createRequire(join(root, 'package.json'))('playwright-core')
  const path = chromium.executablePath()
  return path && existsSync(path) ? path : undefined
}
