/** Updates of the office, on one of its PCs: looks at the clock, the feed and whose turn it is, and answers the pages, the tray and the command line. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { DesktopUpdate } from '../admin/contract/desktop.ts'
import type { Wellness } from '../admin/contract/endpoint.ts'
import type { Updates as View } from '../admin/contract/updates.ts'
import type { CheckResult, NodesDesk, UpdatesDesk } from '../admin/parts.ts'
import { Refusal, refusal } from '../admin/problem.ts'
import type { Bus } from '../cluster/bus.ts'
import type { Settings } from '../core/settings.ts'
import { type Database, DatabaseAway } from '../db/pool.ts'
import { isNewer } from '../versions.ts'
import { Installer } from './installer.ts'
import { KEYLESS, Lookout } from './lookout.ts'
import type { Manifest } from './manifest.ts'
import { isNight, nextNight } from './night.ts'
import { OfficeTurn } from './office-turn.ts'
import type { Program } from './program.ts'
import { answerOthers } from './reports.ts'
import { Round } from './round.ts'
import { type UpdateSettings, updatesFeature } from './settings.ts'
import type { Turn } from './turn.ts'
import { desktopOf, pcView, type Standing, standingOf } from './view.ts'

const TICK_MS = 60_000
const CHECK_MS = 6 * 60 * 60_000
/** Before anything is installed at night the feed is read once more. */
const NIGHT_CHECK_MS = 60 * 60_000
const CLOSE_MS = 1_000

export interface UpdatesOptions {
  readonly program: Program
  readonly dataDir: string
  /** Names this PC for ever. */
  readonly nodeId: string
  readonly log: Logger
  now(): number
  db(): Database
  nodes(): Pick<NodesDesk, 'node' | 'nodes'>
  health(isFresh: boolean): Promise<{ state: Wellness; sentence: string }>
  /** Why this is no moment to stop this server (a backup is being made), as a sentence. */
  busyWith(): string | undefined
  /** Writes something into the history. */
  note(sentence: string): Promise<void>
  /** How this server was started. */
  readonly arguments: readonly string[]
  /** Where the installing program writes; left out: at its usual place. */
  readonly stateDir?: string | undefined
}

export class Updates implements UpdatesDesk {
  readonly #options: UpdatesOptions
  readonly #lookout: Lookout
  readonly #installer: Installer
  readonly #turn: OfficeTurn
  readonly #round: Round
  readonly #abort = new AbortController()
  readonly #listeners = new Set<() => void>()
  readonly #undo: (() => void)[] = []
  #settings: UpdateSettings = { feed: '', automatic: false, hour: 3 }
  #bus: Bus | undefined
  #readFeed = ''
  #step: string | undefined
  #timer: NodeJS.Timeout | undefined
  #ticking: Promise<void> | undefined
  #isStale = false

  constructor(options: UpdatesOptions) {
    this.#options = options
    this.#lookout = new Lookout(options)
    this.#installer = new Installer(options)
    this.#turn = new OfficeTurn({ ...options, name: () => options.nodes().node, onChange: () => this.#stir() })
    this.#round = new Round({
      ...options,
      ...{ lookout: this.#lookout, installer: this.#installer, turn: this.#turn, signal: this.#abort.signal },
      feed: () => this.#settings.feed,
      bus: () => this.#bus,
      onStep: step => this.#at(step),
    })
  }

  /** Reads what is remembered, and begins to look at the clock. */
  async start(): Promise<void> {
    await this.#lookout.load()
    await this.#installer.recover()
    this.#timer = setInterval(() => void this.tick(), TICK_MS)
    this.#timer.unref()
  }

  /** The office is open (again): follows its settings, and meets its other PCs. */
  meet(settings: Settings, bus: Bus | undefined): void {
    for (const undo of this.#undo.splice(0)) undo()
    this.#bus = bus
    this.#settings = settings.of(updatesFeature.name) as UpdateSettings
    const unfollow = settings.subscribe(updatesFeature.name, {
      verify: ({ feed }: UpdateSettings) => {
        if (feed !== '' && this.#options.program.key === undefined) throw new Error(KEYLESS)
      },
      apply: () => void this.tick(),
    })
    this.#undo.push(
      unfollow,
      this.#turn.meet(bus, () => void this.tick()),
    )
    if (bus) this.#undo.push(answerOthers(bus, async isFresh => this.#round.own(await this.#illness(isFresh))))
    void this.tick()
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#abort.abort()
    for (const undo of this.#undo.splice(0)) undo()
    this.#listeners.clear()
    await this.#lookout.close()
    // A question to another PC may take its time; what comes after it does nothing any more.
    await Promise.race([this.#ticking, delay(CLOSE_MS)])
  }

  /** How the office stands. */
  get standing(): Standing {
    const { program, now, nodes } = this.#options
    const { feed, automatic } = this.#settings
    const { newest, trouble } = this.#lookout
    const versions = nodes().nodes.map(node => (node.here ? program.version : node.version))
    const isOld = newest !== undefined && isNewer(newest.version, program.version)
    return standingOf({
      ...{ feed, automatic, newest, trouble, turn: this.#turn.last, now: now() },
      canBeOn: program.key !== undefined,
      versions: versions.filter(version => version !== undefined),
      byHand: isOld ? this.#round.byHand('here') : undefined,
    })
  }

  get desktop(): DesktopUpdate {
    return desktopOf(this.standing, this.#lookout.newest)
  }

  get health(): CheckResult | undefined {
    const { state, wellness, sentence } = this.standing
    return state === 'off' ? undefined : { state: wellness, sentence }
  }

  async view(): Promise<View> {
    const { program, now } = this.#options
    const { automatic, hour, feed } = this.#settings
    const { newest, checkedAt, trouble, fetching } = this.#lookout
    const turn = await this.#turn.read()
    const { state, wellness, sentence } = this.standing
    const isOn = state !== 'off'
    const pcs = await this.#round.pcs(false)
    const isOlder = (version: string | undefined): boolean => isNewer(newest?.version ?? '', version ?? '')
    const isFree = isOn && !turn.holder && (turn.ordered !== newest?.version || turn.stopped !== undefined)
    const step = fetching ? `Fetching ${fetching.name}: ${fetching.percent} %.` : this.#step
    return {
      ...{ state, wellness, sentence, version: program.version, canBeOn: program.key !== undefined },
      ...(isOn && newest && { newest: shownOf(newest) }),
      ...(checkedAt && feed !== '' && { checkedAt: checkedAt.toISOString() }),
      ...(trouble && isOn && { trouble: trouble.sentence }),
      ...(isOn && automatic && { nextNight: nextNight(hour, now()).toISOString() }),
      ...(isOn && step !== undefined && { step }),
      canInstall: isFree && pcs.some(pc => pc.way === 'itself' && isOlder(pc.version)),
      canStop: isOn && turn.stopped === undefined && (turn.holder !== undefined || turn.ordered !== undefined),
      pcs: pcs.slice(0, 64).map(pc => pcView(pc, isOn ? newest : undefined, turn)),
    }
  }

  async check(): Promise<View> {
    this.#mustBeOn()
    // The installing program must find the list by which it was asked.
    if (!this.#turn.isOurs(await this.#turn.read())) await this.#check()
    return this.view()
  }

  async install(): Promise<View> {
    this.#mustBeOn()
    const { newest, trouble } = this.#lookout
    if (!newest) throw refusal('refused', trouble?.sentence ?? 'Nobody has looked for updates yet: look first.')
    const older = (await this.#round.pcs(false)).filter(pc => isNewer(newest.version, pc.version ?? ''))
    if (older.length === 0) throw refusal('refused', `No PC has an older version than ${newest.version}.`)
    if (older.every(pc => pc.way === 'by-hand')) throw refusal('refused', older[0]?.byHand ?? 'Install it by hand.')
    this.#round.forgetTrouble()
    await this.#turn.order(newest.version)
    void this.tick()
    return this.view()
  }

  async stop(by: string): Promise<View> {
    await this.#turn.stop(`${by} has stopped updating.`)
    return this.view()
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Looks at the clock, the feed and whose turn it is. Never throws. */
  tick(): Promise<void> {
    // Something has changed while it was looked: it is looked once more.
    if (this.#ticking) this.#isStale = true
    this.#ticking ??= this.#ticks().finally(() => {
      this.#ticking = undefined
    })
    return this.#ticking
  }

  async #ticks(): Promise<void> {
    const { log } = this.#options
    const { signal } = this.#abort
    do {
      this.#isStale = false
      try {
        await this.#tick()
      } catch (error) {
        if (signal.aborted) return
        // The database is away, or the office is closed for a moment.
        if (error instanceof DatabaseAway || error instanceof Refusal)
          log.debug({ err: error }, 'updates are looked after later')
        else log.error({ err: error }, 'updates were not looked after')
      }
    } while (this.#isStale && !signal.aborted)
  }

  async #tick(): Promise<void> {
    const turn = await this.#turn.read()
    if (this.#turn.isOurs(turn)) return this.#round.settle(turn)
    if (turn.holder && turn.isOver) return this.#turn.endLate(turn)
    if (this.#settings.feed === '' || this.#options.program.key === undefined) return this.#at(undefined)
    if (this.#isCheckDue()) await this.#check()
    const { newest } = this.#lookout
    if (newest && this.#isWanted(newest, turn)) await this.#round.goOn(newest, turn)
    else this.#at(undefined)
  }

  #isCheckDue(): boolean {
    const { now } = this.#options
    const { feed, automatic, hour } = this.#settings
    const ageMs = now() - (this.#lookout.checkedAt?.getTime() ?? 0)
    const isNightly = automatic && isNight(hour, now())
    return feed !== this.#readFeed || ageMs < 0 || ageMs > (isNightly ? NIGHT_CHECK_MS : CHECK_MS)
  }

  async #check(): Promise<void> {
    this.#round.forgetTrouble()
    this.#readFeed = this.#settings.feed
    await this.#lookout.check(this.#readFeed)
    this.#stir()
  }

  #isWanted(newest: Manifest, turn: Turn): boolean {
    const { automatic, hour } = this.#settings
    return turn.ordered === newest.version || (automatic && isNight(hour, this.#options.now()))
  }

  async #illness(isFresh: boolean): Promise<string | undefined> {
    const { state, sentence } = await this.#options.health(isFresh)
    return state === 'bad' ? sentence : undefined
  }

  #at(step: string | undefined): void {
    if (step === this.#step) return
    this.#step = step
    this.#stir()
  }

  #stir(): void {
    for (const listener of this.#listeners) listener()
  }

  #mustBeOn(): void {
    if (this.#options.program.key === undefined) throw refusal('refused', KEYLESS)
    if (this.#settings.feed !== '') return
    throw refusal('refused', 'Say first where updates come from.', {
      mend: { label: 'Open the settings', page: '/settings/updates' },
    })
  }
}

function shownOf({ version, publishedAt, notes, hazelcast }: Manifest): NonNullable<View['newest']> {
  return { version, publishedAt, notes, ...(hazelcast !== undefined && { hazelcast }) }
}
