/** An office on three PCs with the real parts that update it (desks, links, database), and in place of each installing program one that a test steers. */
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Node } from '../../server/admin/contract/nodes.ts'
import type { Bus } from '../../server/cluster/bus.ts'
import type { OpenMesh } from '../../server/cluster/mesh/mesh.ts'
import { meshBus } from '../../server/cluster/mesh-bus.ts'
import type { Feature } from '../../server/core/feature.ts'
import { Settings } from '../../server/core/settings.ts'
import type { Connection } from '../../server/db/address.ts'
import { migrate } from '../../server/db/migrate.ts'
import { Database } from '../../server/db/pool.ts'
import { Updates } from '../../server/updates/desk.ts'
import { type Result, readRequest, resultFile } from '../../server/updates/request.ts'
import { updatesFeature } from '../../server/updates/settings.ts'
import { freshDatabase, quietLog, temporaryFolder } from '../support/database.ts'
import * as meshes from '../support/mesh.ts'
import { aNode } from '../support/node-desks.ts'
import { aFile, aManifest, here, type Keys, newKeys, publish } from './publisher.ts'

/** All PCs share one process: a pause must not look like a death. */
const patient = { ...meshes.quick, heartbeatMs: 500, suspectMs: 5_000, goneMs: 20_000, frozenMs: 10_000 }
const lookMs = 10

type Outcome = Pick<Result, 'state' | 'sentence'>

/** One PC. Its server is stopped and started anew as the installing program does it. */
export class RollingPc {
  readonly number: number
  readonly dataDir: string
  readonly bus: Bus
  readonly db: Database
  readonly mesh: OpenMesh
  readonly #office: RollingOffice
  version = '1.2.0'
  kind: 'deb' | 'setup' = 'deb'
  state: Node['state'] = 'on'
  illness: string | undefined
  desk: Updates | undefined
  settings: Settings | undefined
  /** Whether its program came with the makers' key. */
  hasKey = true

  constructor(office: RollingOffice, made: Pick<RollingPc, 'number' | 'dataDir' | 'bus' | 'db' | 'mesh'>) {
    this.#office = office
    this.number = made.number
    this.dataDir = made.dataDir
    this.bus = made.bus
    this.db = made.db
    this.mesh = made.mesh
  }

  get name(): string {
    return `pc-${this.number}`
  }

  get stateDir(): string {
    return path.join(this.dataDir, 'state')
  }

  get opened(): Updates {
    if (!this.desk) throw new Error(`${this.name} does not run`)
    return this.desk
  }

  async start(): Promise<void> {
    const { version, kind, dataDir, stateDir, name } = this
    const { keys, history } = this.#office
    this.desk = new Updates({
      program: { folder: '/nowhere', version, target: here, kind, key: this.hasKey ? keys.publicKey : undefined },
      ...{ dataDir, stateDir, log: quietLog, arguments: [] },
      nodeId: `id-${this.number}`,
      now: () => this.#office.now.getTime(),
      db: () => this.db,
      nodes: () => ({ node: name, nodes: this.#office.nodesSeenBy(this) }),
      health: async () => ({ state: this.illness === undefined ? 'ok' : 'bad', sentence: this.illness ?? '' }),
      busyWith: () => undefined,
      note: async sentence => void history.push(sentence),
    })
    const settings = new Settings(this.db)
    settings.declare(updatesFeature as Feature)
    await settings.load()
    await this.desk.start()
    this.desk.meet(settings, this.bus)
    this.settings = settings
    this.state = 'on'
  }

  async stop(): Promise<void> {
    this.state = 'off'
    await this.desk?.close()
    this.desk = undefined
  }

  async tell(result: Omit<Result, 'at' | 'from' | 'publishedAt'>): Promise<void> {
    await mkdir(this.stateDir, { recursive: true })
    const whole: Result = { ...result, from: '1.2.0', publishedAt: '', at: new Date().toISOString() }
    await writeFile(resultFile(this.stateDir), JSON.stringify(whole))
  }
}

export class RollingOffice implements AsyncDisposable {
  readonly keys: Keys = newKeys()
  readonly feed: string
  readonly history: string[] = []
  /** Who was updated, in this order. */
  readonly updated: string[] = []
  /** What the PCs' clocks say. */
  now = new Date(2026, 10, 20, 14)
  pcs: RollingPc[] = []
  /** What comes of an installation. */
  outcome: (pc: RollingPc) => Outcome = () => ({ state: 'done', sentence: 'It was installed.' })
  readonly #ends: (() => Promise<unknown>)[] = []
  readonly #abort = new AbortController()

  constructor(feed: string) {
    this.feed = feed
  }

  /** Three PCs of version 1.2.0, linked; the main database is on pc-1. They look for updates in a folder. */
  static async open(): Promise<RollingOffice> {
    const office = new RollingOffice(await temporaryFolder())
    const { connection, drop } = await freshDatabase()
    office.#ends.push(drop)
    const authority = await meshes.authority()
    const papers = await Promise.all([1, 2, 3].map(number => meshes.papers(authority, number)))
    for (const one of papers) {
      const mesh = await meshes.open(one, authority, { timings: patient })
      office.pcs.push(await office.#pc(one.node.number, connection, mesh))
    }
    const known = papers.map((one, index) => meshes.known(one, office.pcs[index]?.mesh.port))
    for (const { mesh } of office.pcs) mesh.setNodes(known)
    for (const { mesh, name } of office.pcs)
      await Promise.all(office.pcs.filter(pc => pc.name !== name).map(pc => meshes.reached(mesh, pc.name, 'up')))
    const [first] = office.pcs
    await migrate(first!.db, [
      ...stepsOf('settings', Settings.migrations),
      ...stepsOf('updates', updatesFeature.migrations ?? []),
    ])
    await first!.db.exec(`INSERT INTO setting (key, value, changed_by) VALUES ('updates.feed', $1, 'test')`, [
      JSON.stringify(office.feed),
    ])
    return office
  }

  async #pc(number: number, connection: Connection, mesh: OpenMesh): Promise<RollingPc> {
    const db = new Database({ connection, log: quietLog })
    const pc = new RollingPc(this, { number, dataDir: await temporaryFolder(), bus: meshBus(mesh, quietLog), db, mesh })
    this.#ends.push(async () => {
      await pc.stop()
      await db.close()
      await mesh.close()
    })
    return pc
  }

  /** Starts all, each with its installing program. */
  async start(): Promise<void> {
    for (const pc of this.pcs) {
      await pc.start()
      const installing = this.#installFor(pc)
      this.#ends.push(() => installing)
    }
  }

  async publishes(version: string): Promise<void> {
    const file = path.join(this.feed, `lanthorn-${version}.deb`)
    await writeFile(file, `version ${version}`)
    const setup = path.join(this.feed, `lanthorn-${version}-setup.exe`)
    await writeFile(setup, `set-up of ${version}`)
    const files = [await aFile(file, 'deb'), await aFile(setup, 'setup')]
    await publish(this.feed, aManifest({ version, files, publishedAt: this.now.toISOString() }), this.keys)
  }

  async setting(key: string, value: unknown): Promise<void> {
    await this.pcs[0]!.db.exec(
      `INSERT INTO setting (key, value, changed_by) VALUES ($1, $2, 'test') ON CONFLICT (key) DO UPDATE SET value = $2`,
      [key, JSON.stringify(value)],
    )
  }

  /** All look at the clock and the feed; resolves when they have done what came of it. */
  async tick(): Promise<void> {
    await Promise.all(this.pcs.map(pc => pc.desk?.tick()))
  }

  versions(): string[] {
    return this.pcs.map(({ version }) => version)
  }

  nodesSeenBy(pc: RollingPc): Node[] {
    return this.pcs.map(({ number, name, state, version }) =>
      aNode(number, name, { here: number === pc.number, state, version }),
    )
  }

  /** Does what the installing program of a PC does, until the office is closed. */
  async #installFor(pc: RollingPc): Promise<void> {
    const { signal } = this.#abort
    let last = ''
    while (!signal.aborted) {
      await delay(lookMs)
      const request = await readRequest(pc.dataDir)
      if (!request || request.id === last) continue
      last = request.id
      const { id, version } = request
      const others = this.pcs.filter(other => other !== pc && other.state !== 'on').map(({ name }) => name)
      if (others.length > 0) this.history.push(`${pc.name} was updated while ${others} did not run!`)
      await pc.tell({ id, version, state: 'taken', sentence: 'It is looked at.' })
      await pc.stop()
      const { state, sentence } = this.outcome(pc)
      if (state === 'done') pc.version = version
      this.updated.push(pc.name)
      await pc.start()
      await pc.tell({ id, version, state, sentence })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort()
    for (const end of this.#ends.reverse()) await end()
  }
}

const stepsOf = (feature: string, steps: readonly string[]) =>
  steps.map((sql, index) => ({ feature, number: index + 1, sql }))
