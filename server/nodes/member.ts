/** The Hazelcast member of this PC: there while the office has two PCs or more, beside everything else; nothing waits for it. */
import type { Logger } from 'pino'
import type { Node } from '../admin/contract/nodes.ts'
import { type Hazelcast, type HazelcastFigures, startHazelcast } from '../cluster/hazelcast/hazelcast.ts'
import type { HazelcastSettings } from '../cluster/hazelcast/settings.ts'
import type { KnownNode } from '../cluster/node.ts'
import type { Settings } from '../core/settings.ts'
import type { DataFolder } from '../node.ts'
import type { Ground } from './open-cluster.ts'
import { clusterFeature } from './settings.ts'

export interface MemberOptions {
  readonly folder: DataFolder
  readonly ground: Ground
  readonly portBase: number
  readonly log: Logger
  nodes(): readonly KnownNode[]
  onChange(): void
}

export class OwnMember {
  readonly #options: MemberOptions
  #hazelcast: Promise<Hazelcast> | undefined
  #running: Hazelcast | undefined
  #undo: (() => void)[] = []
  #settings: Settings | undefined

  constructor(options: MemberOptions) {
    this.#options = options
  }

  /** For the pages. */
  get state(): Node['member'] {
    return this.#running?.state ?? 'off'
  }

  get version(): string | undefined {
    return this.#running?.version
  }

  /** Numbers of the PCs whose members ours sees, its own among them. */
  get members(): readonly number[] {
    return this.#running?.members ?? []
  }

  /** What it costs; undefined while none runs. */
  get figures(): HazelcastFigures | undefined {
    return this.#running?.figures()
  }

  /** The office is open, or has more or fewer PCs than before: starts the member, or ends it. */
  look(settings = this.#settings): void {
    this.#settings = settings
    const { ground, nodes, log } = this.#options
    if (!settings || ground.self.hazelcast === undefined) return
    if (nodes().length >= 2 && !this.#hazelcast) {
      this.#hazelcast = this.#start(settings)
      this.#hazelcast.catch(err => log.error({ err }, 'the Hazelcast member was not started'))
    } else if (nodes().length < 2 && this.#hazelcast) {
      void this.close().catch(err => log.error({ err }, 'the Hazelcast member was not ended in order'))
    }
  }

  async close(): Promise<void> {
    const hazelcast = this.#hazelcast
    this.#hazelcast = undefined
    this.#running = undefined
    for (const undo of this.#undo.splice(0)) undo()
    await (await hazelcast?.catch(() => undefined))?.close() // that it did not start was logged
  }

  async #start(settings: Settings): Promise<Hazelcast> {
    const { folder, ground, portBase, log, nodes, onChange } = this.#options
    const of = (): HazelcastSettings => settings.of(clusterFeature.name) as unknown as HazelcastSettings
    const hazelcast = await startHazelcast({
      dataDir: folder.dir,
      self: ground.self,
      mesh: ground.mesh,
      portBase,
      clusterSecret: await folder.randomSecret('cluster-secret'),
      settings: of(),
      log: log.child({ part: 'hazelcast' }),
      nodes,
    })
    this.#running = hazelcast
    this.#undo = [
      ground.directory.attach(hazelcast.map),
      hazelcast.onState(onChange),
      hazelcast.onMembers(onChange),
      settings.subscribe(clusterFeature.name, { apply: () => hazelcast.update(of()) }),
    ]
    return hazelcast
  }
}
