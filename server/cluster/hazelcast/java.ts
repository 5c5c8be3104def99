/** The two things a Hazelcast member needs, brought by set-up: a Java, and Hazelcast itself. */
import { execFile } from 'node:child_process'
import { access, readdir } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { hazelcastFolder, javaFolders } from '../../places.ts'

export interface Java {
  /** Its program. */
  readonly program: string
  /** 17, 21, 25 … */
  readonly major: number
}

export interface HazelcastJar {
  readonly file: string
  /** Of Hazelcast: '5.7.0'. */
  readonly version: string
}

/** Hazelcast's classes are made for this one. */
const majorMin = 17
const lookMs = 10_000

/**
 * Looks for a Java that is new enough, in the order of `javaFolders`.
 * @returns it, or a sentence that says what is wrong and what to do
 */
export async function findJava(env: NodeJS.ProcessEnv = process.env): Promise<Java | string> {
  let newest = 0
  for (const program of javaPrograms(env)) {
    const major = await majorOf(program)
    if (major === undefined) continue
    if (major >= majorMin) return { program, major }
    newest = Math.max(newest, major)
  }
  const found = newest > 0 ? `only a Java ${newest} was found` : 'no Java was found'
  return `The Hazelcast member of this PC does not run, because ${found}: install a Java ${majorMin} or newer, or name its folder in JAVA_HOME. The PCs talk over their links alone until then.`
}

/** Looks for Hazelcast where set-up puts it. @returns it, or a sentence that says what to do */
export async function findHazelcast(folder: string = hazelcastFolder()): Promise<HazelcastJar | string> {
  const names = await readdir(folder).catch(() => [])
  const versions = names.flatMap(name => /^hazelcast-(\d+\.\d+\.\d+)\.jar$/.exec(name)?.[1] ?? [])
  const version = versions.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1)
  if (version !== undefined) return { file: path.join(folder, `hazelcast-${version}.jar`), version }
  return `The Hazelcast member of this PC does not run, because Hazelcast is missing: start Lanthorn again while Maven is installed and its repository can be reached, or put hazelcast-5.7.0.jar into ${folder}. The PCs talk over their links alone until then.`
}

/** What this PC tells the others before its member runs: 'major.minor', undefined when no member can run here. */
export async function hazelcastHere(): Promise<string | undefined> {
  const [java, jar] = await Promise.all([findJava(), findHazelcast()])
  return typeof java === 'string' || typeof jar === 'string' ? undefined : minorOf(jar.version)
}

/** '5.7.1' → '5.7': only members that agree in it can meet. */
export function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.')
}

function javaPrograms(env: NodeJS.ProcessEnv): string[] {
  const program = process.platform === 'win32' ? 'java.exe' : 'java'
  return [...new Set(javaFolders(env))].map(folder => path.join(folder, program))
}

/** Undefined when there is no such program, or it cannot tell. */
async function majorOf(program: string): Promise<number | undefined> {
  try {
    await access(program)
    const { stderr, stdout } = await promisify(execFile)(program, ['-version'], { timeout: lookMs, windowsHide: true })
    const major = Number(/version "(\d+)/.exec(stderr + stdout)?.[1])
    return major > 0 ? major : undefined
  } catch {
    return undefined // not a Java that works
  }
}
