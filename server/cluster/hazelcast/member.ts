/** Keeps the Hazelcast member of this PC running: started, asked for its health, started again when it dies, told what it costs. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { makeClassData } from './class-data.ts'
import { askHealth, type MemberHealth } from './health.ts'
import { findHazelcast, findJava, type HazelcastJar, type Java } from './java.ts'
import { type MemberProcess, startMember } from './member-process.ts'
import type { MemberFile } from './overlay.ts'
import { processorSeconds, residentBytes } from './process-figures.ts'
import { type HazelcastSettings, needsNewMember } from './settings.ts'

export interface MemberOptions {
  /** Own private folder. */
  readonly folder: string
  readonly secret: string
  readonly settings: HazelcastSettings
  readonly log: Logger
  /** Its configuration, made anew before each start, or a sentence that says why there is none. */
  readonly file: (settings: HazelcastSettings) => Promise<MemberFile | string>
  /** Something of what is told below has changed. */
  readonly onChange: () => void
  /** How long the member has run when its class data are made; by default when the first rush is over. */
  readonly classDataAfterMs?: number
}

export interface MemberFigures {
  readonly pid: number
  /** Milliseconds its last start took. */
  readonly startMs: number
  /** How often it was started again since this server runs. */
  readonly restarts: number
  readonly rssBytes: number | undefined
  readonly processorSeconds: number | undefined
  readonly heapUsedBytes: number | undefined
  readonly heapMaxBytes: number | undefined
}

export interface Member {
  /** What is needed to speak with it, while it runs. */
  readonly running: { readonly port: number; readonly clusterName: string } | undefined
  /** Whether something is missing or wrong that only a person can put right. */
  readonly isOff: boolean
  readonly sentence: string
  readonly version: string | undefined
  readonly health: MemberHealth | undefined
  figures(): MemberFigures | undefined
  update(settings: HazelcastSettings): void
  /** Starts it anew, with a new configuration. */
  renew(): void
  close(): Promise<void>
}

const starting = 'The Hazelcast member of this PC is being started.'
/** Something was missing: it is looked for again. */
const lookAgainMs = 60_000
/** A run of this length ends a series of failures. */
const goodRunMs = 60_000
const healthEveryMs = 5_000
/** Answers that may fail in a row before the member counts as hanging. */
const healthFailuresMax = 8
const classDataAfterMs = 90_000

/** Starts the member as soon as it can, and keeps it until `close`. */
export function superviseMember(options: MemberOptions): Member {
  return new SupervisedMember(options)
}

class SupervisedMember implements Member {
  running: Member['running']
  isOff = false
  sentence = starting
  version: string | undefined
  health: MemberHealth | undefined
  readonly #options: MemberOptions
  #settings: HazelcastSettings
  readonly #closing = new AbortController()
  /** Aborted to end a wait or the present run, because something was changed. */
  #turn = new AbortController()
  #process: MemberProcess | undefined
  #starts = 0
  readonly #supervising: Promise<void>

  constructor(options: MemberOptions) {
    this.#options = options
    this.#settings = options.settings
    this.#supervising = this.#supervise()
  }

  figures(): MemberFigures | undefined {
    const member = this.#process
    if (!member) return undefined
    return {
      pid: member.pid,
      startMs: member.startMs,
      restarts: Math.max(0, this.#starts - 1),
      rssBytes: residentBytes(member.pid),
      processorSeconds: processorSeconds(member.pid),
      heapUsedBytes: member.heap?.used,
      heapMaxBytes: member.heap?.max,
    }
  }

  update(settings: HazelcastSettings): void {
    const isNew = needsNewMember(this.#settings, settings)
    this.#settings = settings
    if (isNew) this.renew()
  }

  renew(): void {
    this.#turn.abort()
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#turn.abort()
    await this.#supervising
  }

  async #supervise(): Promise<void> {
    await this.#wait(this.#settings.startDelaySeconds * 1_000)
    let failures = 0
    while (!this.#closing.signal.aborted) {
      this.#turn = new AbortController()
      const parts = await this.#parts()
      if (typeof parts === 'string') {
        this.#tell(parts, true)
        await this.#wait(lookAgainMs)
        continue
      }
      const from = performance.now()
      const reason = await this.#runOnce(parts)
      if (reason === undefined) continue
      failures = performance.now() - from > goodRunMs ? 1 : failures + 1
      const { retryFirstSeconds, retryLongestSeconds } = this.#settings
      const waitS = Math.min(retryFirstSeconds * 2 ** (failures - 1), Math.max(retryFirstSeconds, retryLongestSeconds))
      this.#tell(`The Hazelcast member of this PC ${reason}; it is started again in ${waitS} s.`, false)
      this.#options.log.warn({ failures }, this.sentence)
      await this.#wait(waitS * 1_000)
    }
  }

  /** All that a start needs, or the sentence that says what is missing. */
  async #parts(): Promise<{ java: Java; jar: HazelcastJar; file: MemberFile } | string> {
    const [java, jar] = await Promise.all([findJava(), findHazelcast()])
    if (typeof jar === 'string') return jar
    if (typeof java === 'string') return java
    this.version = jar.version
    const file = await this.#options.file(this.#settings)
    return typeof file === 'string' ? file : { java, jar, file }
  }

  /** @returns why it ended, as the middle of a sentence; undefined when it was asked to */
  async #runOnce(parts: { java: Java; jar: HazelcastJar; file: MemberFile }): Promise<string | undefined> {
    const { signal } = this.#turn
    const options = { ...this.#options, ...parts, settings: this.#settings }
    const member = await startMember(options, signal)
    this.#starts++
    if (typeof member === 'string') return signal.aborted ? undefined : `does not start (${member})`
    this.#process = member
    this.running = { port: parts.file.port, clusterName: parts.file.clusterName }
    this.#tell('The Hazelcast member of this PC runs.', false)
    this.#options.log.info({ pid: member.pid, startMs: member.startMs }, 'Hazelcast member started')
    const ended = new AbortController()
    const ends = AbortSignal.any([signal, ended.signal])
    const beside = [this.#watch(member, parts.file, ends), this.#makeClassData(options, ends)]
    const asked = new Promise<undefined>(resolve => {
      if (signal.aborted) resolve(undefined)
      signal.addEventListener('abort', () => resolve(undefined), { once: true })
    })
    const how = await Promise.race([member.exited, asked])
    this.running = undefined
    this.health = undefined
    if (!this.#closing.signal.aborted) this.#tell(starting, false)
    this.#options.onChange()
    ended.abort()
    if (how === undefined) await member.stop()
    await Promise.all(beside)
    this.#process = undefined
    return how === undefined ? undefined : `ended unexpectedly (${how})`
  }

  /** Asks for its health; one that has not answered for long is ended, so that it is started again. */
  async #watch(member: MemberProcess, file: MemberFile, signal: AbortSignal): Promise<void> {
    if (!file.hasRest) return
    let failures = 0
    while (await pause(healthEveryMs, signal)) {
      const health = await askHealth(file.port)
      if (signal.aborted) return
      failures = health ? 0 : failures + 1
      this.health = health
      if (failures < healthFailuresMax) continue
      this.#options.log.warn({ pid: member.pid }, 'Hazelcast member does not answer any more: it is ended')
      member.kill()
      return
    }
  }

  async #makeClassData(options: Parameters<typeof makeClassData>[0], signal: AbortSignal): Promise<void> {
    if (await pause(this.#options.classDataAfterMs ?? classDataAfterMs, signal)) await makeClassData(options, signal)
  }

  async #wait(ms: number): Promise<void> {
    if (ms > 0) await pause(ms, this.#turn.signal)
  }

  #tell(sentence: string, isOff: boolean): void {
    this.sentence = sentence
    this.isOff = isOff
    this.#options.onChange()
  }
}

/** @returns false when it was called off */
async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  return await delay(ms, true, { signal, ref: false }).catch(() => false)
}
