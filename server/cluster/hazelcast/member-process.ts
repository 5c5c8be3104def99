/** One run of the Hazelcast member: a Java process, from its start until it is gone. */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { writeDurably } from '../../durable-file.ts'
import { classDataFlags } from './class-data.ts'
import type { HazelcastJar, Java } from './java.ts'
import { endLeftover, killWithUs, noteMember } from './leftover.ts'
import { loggingProperties, readRecords } from './member-log.ts'
import type { MemberFile } from './overlay.ts'
import { type HazelcastSettings, splitFlags } from './settings.ts'

export interface ProcessOptions {
  /** Own private folder of the member, inside the data folder. */
  readonly folder: string
  readonly java: Java
  readonly jar: HazelcastJar
  readonly file: MemberFile
  readonly settings: HazelcastSettings
  /** Never to be seen in the log. */
  readonly secret: string
  readonly log: Logger
}

export interface MemberProcess {
  readonly pid: number
  /** Milliseconds from its start until it was a member. */
  readonly startMs: number
  /** Resolves when it has ended, with how ('code 1', 'signal SIGKILL') and its last complaint. */
  readonly exited: Promise<string>
  /** Newest figures the member told about its heap, in bytes. */
  readonly heap: { readonly used: number; readonly max: number } | undefined
  /** Stops it in order, by force after the limit. Resolves when it is gone. */
  stop(): Promise<void>
  /** Ends it by force. */
  kill(): void
}

const startLimitMs = 120_000
/** Longer than the member itself may take (graceful.shutdown.max.wait). */
const stopLimitMs = 9_000
const killLimitMs = 5_000
const starter = 'com.hazelcast.core.server.HazelcastMemberStarter'
/** Without these the member warns at every start, and cannot tell all of its figures. */
const opens = [
  ['--add-exports', 'java.base/jdk.internal.ref=ALL-UNNAMED'],
  ...['java.base/java.lang', 'java.base/sun.nio.ch', 'java.management/sun.management'].map(one => [
    '--add-opens',
    `${one}=ALL-UNNAMED`,
  ]),
  ['--add-opens', 'jdk.management/com.sun.management.internal=ALL-UNNAMED'],
].flat()

/**
 * Starts a member and waits until it is one.
 * @returns the process, or a sentence (why it did not start) without its end
 */
export async function startMember(options: ProcessOptions, signal: AbortSignal): Promise<MemberProcess | string> {
  const { folder, log } = options
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await chmod(folder, 0o700)
  const note = path.join(folder, 'member.pid')
  const left = await endLeftover(note, configFlag(folder, options.file))
  if (left !== undefined) log.info({ pid: left }, 'Hazelcast member of an earlier run ended')
  await writeDurably(configPath(folder, options.file), options.file.text)
  await writeFile(path.join(folder, 'logging.properties'), loggingProperties, { mode: 0o600 })
  const from = performance.now()
  const child = spawn(options.java.program, await memberArguments(options), {
    cwd: folder,
    // glibc gives each of its many threads an own pool of memory otherwise.
    env: { ...process.env, MALLOC_ARENA_MAX: '2' },
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
    // A Ctrl-C in our terminal must reach us only: the member leaves when our people have been told goodbye.
    detached: process.platform !== 'win32',
  })
  const run = new Run(child, options)
  if (child.pid !== undefined) await noteMember(note, child.pid)
  const limit = new AbortController()
  const late = delay(startLimitMs, 'it took too long', { signal: AbortSignal.any([limit.signal, signal]) })
  const outcome = await Promise.race([run.started, run.exited, late.catch(() => 'it was called off')])
  limit.abort()
  if (outcome === true) {
    run.startMs = Math.round(performance.now() - from)
    return run
  }
  await run.stop()
  return outcome
}

/** All that Java is called with, for the member itself and for what is made beside it. */
async function memberArguments(options: ProcessOptions): Promise<string[]> {
  const { folder, settings } = options
  return [
    `-Xmx${settings.memberHeapMegabytes}m`,
    '-XX:+ExitOnOutOfMemoryError',
    ...(settings.jmx ? [] : ['-XX:-UsePerfData']),
    ...splitFlags(settings.memberFlags),
    ...opens,
    ...(await classDataFlags(options)),
    '-Duser.language=en',
    `-Djava.util.logging.config.file=${path.join(folder, 'logging.properties')}`,
    configFlag(folder, options.file),
    ...['-cp', options.jar.file, starter],
  ]
}

function configPath(folder: string, file: MemberFile): string {
  return path.join(folder, `lanthorn-member.${file.kind}`)
}

/** Also what proves, by its command line, that a process is the member of this data folder. */
function configFlag(folder: string, file: MemberFile): string {
  return `-Dhazelcast.config=${configPath(folder, file)}`
}

class Run implements MemberProcess {
  readonly pid: number
  startMs = 0
  readonly started: Promise<true>
  readonly exited: Promise<string>
  heap: MemberProcess['heap']
  readonly #child: ChildProcess
  readonly #options: ProcessOptions
  #complaint = ''
  #isStarted: () => void = () => undefined

  constructor(child: ChildProcess, options: ProcessOptions) {
    this.#child = child
    this.#options = options
    this.pid = child.pid ?? 0
    const unwatch = child.pid === undefined ? () => undefined : killWithUs(child.pid)
    this.started = new Promise(resolve => {
      this.#isStarted = () => resolve(true)
    })
    this.exited = new Promise(resolve => {
      child.once('error', error => resolve(error.message))
      child.once('close', (code, signal) => {
        unwatch()
        const how = signal ? `signal ${signal}` : `code ${code}`
        resolve(this.#complaint === '' ? how : `${how}: ${this.#complaint}`)
      })
    })
    for (const output of [child.stdout, child.stderr]) output?.setEncoding('utf8').on('data', this.#reader())
  }

  async stop(): Promise<void> {
    for (const [signal, limitMs] of [
      ['SIGTERM', stopLimitMs],
      ['SIGKILL', killLimitMs],
    ] as const) {
      if (this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return
      this.#child.kill(signal)
      const limit = new AbortController()
      const late = delay(limitMs, undefined, { signal: limit.signal }).catch(() => undefined)
      await Promise.race([this.exited, late])
      limit.abort()
    }
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #reader(): (chunk: string) => void {
    return readRecords(({ level, source, text: raw }) => {
      const text = raw.replaceAll(this.#options.secret, '(hidden)')
      if (source === 'HealthMonitor') {
        this.#readHealth(text)
        return
      }
      if (source === 'LifecycleService' && text.endsWith('is STARTED')) this.#isStarted()
      if (level === 'error') this.#complaint = shortened(text)
      else if (this.#complaint === '' && /^(Exception in thread|Error|Could not|Unrecognized)/.test(text)) {
        this.#complaint = shortened(text)
      }
      this.#options.log[level]({ process: 'hazelcast', source }, text)
    })
  }

  /** 'heap.memory.used=23.5M, … heap.memory.max=61.9M' */
  #readHealth(text: string): void {
    const [used, max] = ['used', 'max'].map(name => {
      const [, amount, unit] = new RegExp(`heap\\.memory\\.${name}=([\\d.]+)([KMG]?)`).exec(text) ?? []
      return Math.round(Number(amount) * 1024 ** ['', 'K', 'M', 'G'].indexOf(unit ?? ''))
    })
    if (used && max) this.heap = { used, max }
  }
}

/** What a complaint of Java's is about, without the places in its program. */
function shortened(text: string): string {
  const [about = ''] = text.split(/ (?:at )?(?:com|java|sun|jdk)\.[\w.$]+(?:Exception|Error|\()/, 1)
  return about.replace(/[.\s]+$/, '').slice(0, 300) || text.slice(0, 300)
}
