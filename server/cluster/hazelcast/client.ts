/**
 * Our connection to the own Hazelcast member. The client may not look for another one: it ends when the connection does, and a new one is made as
 * soon as the own member is there. So this node hears of the cluster through its own member or not at all.
 */
import { Client, ReconnectMode } from 'hazelcast-client'
import type { Logger } from 'pino'
import type { RemoteMap } from './map.ts'
import { within } from './within.ts'
import { nodeAttribute, routesMap } from './yaml.ts'

export interface ClientOptions {
  /** Where the own member listens and what its cluster is called; undefined while it does not run. */
  readonly target: () => { readonly port: number; readonly clusterName: string } | undefined
  readonly secret: string
  readonly callMs: () => number
  readonly log: Logger
  readonly onConnected: (map: RemoteMap) => Promise<void>
  readonly onLost: () => void
  /** Numbers of the nodes whose members are in the cluster, ours among them. */
  readonly onMembers: (numbers: readonly number[]) => void
}

const connectLimitMs = 10_000
const shutdownLimitMs = 3_000
const againMinMs = 200
const againMaxMs = 5_000

export class OwnMember {
  readonly #options: ClientOptions
  readonly #running: Promise<void>
  #isClosed = false
  #wake: () => void = () => undefined
  #drop: () => void = () => undefined

  constructor(options: ClientOptions) {
    this.#options = options
    this.#running = this.#run()
  }

  /** The own member runs now: connect at once. */
  kick(): void {
    this.#wake()
  }

  /** The own member has ended, or another one runs: what is there now is worth nothing. */
  drop(): void {
    this.#drop()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#wake()
    this.#drop()
    await this.#running
  }

  async #run(): Promise<void> {
    let waitMs = againMinMs
    while (!this.#isClosed) {
      const target = this.#options.target()
      if (target && (await this.#stay(target))) waitMs = againMinMs
      else waitMs = Math.min(waitMs * 2, againMaxMs)
      if (!this.#isClosed) await this.#pause(waitMs)
    }
  }

  #pause(waitMs: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, waitMs)
      timer.unref()
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** One connection from its beginning to its end. @returns whether there was one */
  async #stay(target: { port: number; clusterName: string }): Promise<boolean> {
    const { log, onLost, onConnected, onMembers, callMs } = this.#options
    let client: Client | undefined
    const lost = new Promise<void>(resolve => {
      this.#drop = resolve
    })
    try {
      client = await this.#connect(target, () => this.#drop())
      const tellMembers = (): void => onMembers(client ? numbersOf(client) : [])
      client.getCluster().addMembershipListener({ memberAdded: tellMembers, memberRemoved: tellMembers })
      tellMembers()
      const map = await within(client.getMap<string, string>(routesMap), callMs(), 'opening the routes')
      await onConnected(map)
      await lost
      return true
    } catch (error) {
      log.info({ why: this.#plain(error) }, 'own Hazelcast member was not reached: it is tried again')
      return false
    } finally {
      onLost()
      if (client) await within(client.shutdown(), shutdownLimitMs, 'ending the connection').catch(() => undefined)
    }
  }

  async #connect({ port, clusterName }: { port: number; clusterName: string }, onEnd: () => void): Promise<Client> {
    const connecting = Client.newHazelcastClient({
      clusterName,
      network: { clusterMembers: [`127.0.0.1:${port}`], smartRouting: false, connectionTimeout: connectLimitMs / 2 },
      connectionStrategy: {
        reconnectMode: ReconnectMode.OFF,
        connectionRetry: {
          clusterConnectTimeoutMillis: connectLimitMs / 2,
          initialBackoffMillis: 200,
          maxBackoffMillis: 1_000,
        },
      },
      lifecycleListeners: [state => void ((state === 'DISCONNECTED' || state === 'SHUTDOWN') && onEnd())],
      customLogger: this.#logger(),
      metrics: { enabled: false },
      properties: {
        'hazelcast.client.heartbeat.interval': 1_000,
        'hazelcast.client.heartbeat.timeout': 5_000,
        'hazelcast.client.statistics.enabled': false,
      },
    })
    try {
      return await within(connecting, connectLimitMs, 'connecting to the own member')
    } catch (error) {
      connecting.then(late => late.shutdown()).catch(() => undefined) // it comes too late, or not at all
      throw error
    }
  }

  #plain(error: unknown): string {
    return String(error instanceof Error ? error.message : error).replaceAll(this.#options.secret, '(hidden)')
  }

  /** What the client itself tells is of use only to those who look for a fault: what it means for us we tell ourselves. */
  #logger() {
    const write = (level: string) => (source: string, message: string) =>
      this.#options.log.debug({ process: 'hazelcast-client', source, level }, this.#plain(message))
    return {
      log: (_level: number, source: string, message: string) => write('')(source, message),
      error: write('error'),
      warn: write('warn'),
      info: write('info'),
      debug: () => undefined,
      trace: () => undefined,
    }
  }
}

function numbersOf(client: Client): number[] {
  // Attributes are there, but missing in the package's types.
  const members = client.getCluster().getMembers() as readonly { attributes?: ReadonlyMap<string, string> }[]
  const numbers = members.map(member => Number(member.attributes?.get(nodeAttribute)))
  return [...new Set(numbers)].filter(number => number > 0).sort((a, b) => a - b)
}
