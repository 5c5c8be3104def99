// Packages of Debian and Ubuntu, as root only (containers, build machines): nobody is ever asked for a password.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { run, say } from './set-up.mjs'

const fetchMs = 5 * 60_000
const isWindows = process.platform === 'win32'

/** The policy that keeps services from being started while packages are installed (Debian's policy-rc.d). */
const policyFile = '/usr/sbin/policy-rc.d'
const policy = '#!/bin/sh\nexit 101\n'
/** Keeps postgresql-common from making a database of its own when a server is installed. */
const clusterFile = '/etc/postgresql-common/createcluster.d/lanthorn-tests.conf'

/**
 * Installs packages that are missing; those that are there already stay as they are.
 * @param {readonly string[]} names
 * @param {{ services?: readonly string[], limitMs?: number }} options services that the packages bring: they are neither started now nor when the computer
 * starts, and no first PostgreSQL database is made. `limitMs`: longest time for each of the (up to three) calls of apt-get.
 * @returns {Promise<boolean>} whether they are there now.
 */
export async function aptInstall(names, { services, limitMs = fetchMs } = {}) {
  if (process.getuid?.() !== 0 || onPath(['apt-get']) === undefined) return false
  say(`Installing ${names.join(', ')} with apt-get…`)
  if (!services) return await install(names, limitMs)
  const isOurPolicy = writeIfMissing(policyFile, policy, 0o755)
  const isOurCluster = writeIfMissing(clusterFile, 'create_main_cluster = false\n', 0o644)
  const isNew = services.filter(service => !existsSync(`/etc/init.d/${service}`))
  try {
    return await install(names, limitMs)
  } finally {
    if (isOurPolicy) rmSync(policyFile, { force: true })
    if (isOurCluster) rmSync(clusterFile, { force: true })
    for (const service of isNew) await run('update-rc.d', [service, 'disable'], { timeoutMs: fetchMs })
  }
}

async function install(names, timeoutMs) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const args = ['install', '--yes', '--no-install-recommends', '--no-upgrade', ...names]
  if ((await run('apt-get', args, { timeoutMs, env })).code === 0) return true
  await run('apt-get', ['update'], { timeoutMs, env })
  return (await run('apt-get', args, { timeoutMs, env })).code === 0
}

function writeIfMissing(file, text, mode) {
  if (existsSync(file)) return false
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text, { mode })
  return true
}

/** The first of these programs that is in a folder of PATH. */
export function onPath(names) {
  return onPathAll(names)[0]
}

/** All of them, in the order of the names. Windows' programs have one of these endings. */
export function onPathAll(names, endings = ['.exe']) {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean)
  const files = names.flatMap(name =>
    folders.flatMap(folder => (isWindows ? endings : ['']).map(ending => join(folder, `${name}${ending}`))),
  )
  return files.filter(file => existsSync(file))
}
