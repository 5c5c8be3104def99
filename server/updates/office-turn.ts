/** The turn as one PC sees and changes it (turn.ts); a change is told to the other PCs, which then look at once. */
import type { Bus } from '../cluster/bus.ts'
import type { Database } from '../db/pool.ts'
import { dropOrder, endLateTurn, endTurn, orderVersion, readTurn, stopTurns, type Turn, takeTurn } from './turn.ts'

/** All that the installing program may take, and some more. */
export const TURN_MS = 45 * 60_000
const TOPIC = 'update-turn'

export interface OfficeTurnOptions {
  readonly nodeId: string
  db(): Database
  /** The name of this PC. */
  name(): string
  /** The turn was read, or another PC has changed it. */
  onChange(): void
}

/** Everything here throws DatabaseAway. */
export class OfficeTurn {
  readonly #options: OfficeTurnOptions
  #last: Turn | undefined
  #bus: Bus | undefined

  constructor(options: OfficeTurnOptions) {
    this.#options = options
  }

  /** As it was read last. */
  get last(): Turn | undefined {
    return this.#last
  }

  /** Tells the other PCs by this bus from now on, and hears them. @returns the function that ends it */
  meet(bus: Bus | undefined, onTold: () => void): () => void {
    this.#bus = bus
    return bus?.onTell(TOPIC, onTold) ?? (() => undefined)
  }

  async read(): Promise<Turn> {
    this.#last = await readTurn(this.#options.db())
    return this.#last
  }

  isOurs(turn: Turn): boolean {
    return turn.holder?.id === this.#options.nodeId
  }

  /** @returns undefined: somebody else has it, or it was stopped */
  async take(version: string): Promise<Turn | undefined> {
    const { nodeId, name, db } = this.#options
    const epoch = await takeTurn(db(), { id: nodeId, name: name(), version, lastsMs: TURN_MS })
    return epoch === undefined ? undefined : this.#changed()
  }

  /** @param stopped why no other PC may follow */
  async end({ epoch }: Turn, stopped: string | undefined): Promise<void> {
    const { nodeId, db } = this.#options
    await endTurn(db(), { id: nodeId, epoch }, stopped)
    await this.#changed()
  }

  /** Ends somebody's turn that has lasted too long. */
  async endLate({ epoch, holder, version }: Turn): Promise<void> {
    const stopped = `${holder?.name} began to be updated to version ${version}, and nothing was heard of it since.`
    await endLateTurn(this.#options.db(), epoch, stopped)
    await this.#changed()
  }

  async order(version: string): Promise<void> {
    await orderVersion(this.#options.db(), version)
    await this.#changed()
  }

  async dropOrder(version: string): Promise<void> {
    if (this.#last?.ordered !== version) return
    await dropOrder(this.#options.db(), version)
    await this.#changed()
  }

  async stop(stopped: string): Promise<void> {
    await stopTurns(this.#options.db(), stopped)
    await this.#changed()
  }

  async #changed(): Promise<Turn> {
    const turn = await this.read()
    this.#bus?.tell(undefined, TOPIC, {})
    this.#options.onChange()
    return turn
  }
}
