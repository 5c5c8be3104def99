/** The desks behind the pages about PCs, for an office that other PCs cannot join: there is this one, and nothing can be done with it. */
import type { Joining } from '../admin/contract/joining.ts'
import type { HandedOver, Node } from '../admin/contract/nodes.ts'
import type { NodePlace, NodesDesk } from '../admin/parts.ts'
import { type Refusal, refusal } from '../admin/problem.ts'
import type { Chat } from '../chat.ts'
import { chatPorts, type NodeActions } from './nodes-desk.ts'
import type { NodeStatus, StatusReader } from './status.ts'
import { officeSentence, takenOut } from './view.ts'

const LOOK_MS = 2_000
const alone = (): Refusal =>
  refusal('refused', 'This is the only PC of the office: add a second one, then people can be handed over to it.')
const shut = (): Refusal =>
  refusal('refused', 'Other PCs cannot join this office: let them on the page about the PCs first.')

/** Nothing to join, and nothing that could. */
export const idle: Joining = { state: 'idle', steps: [] }

/** The desk of one PC alone. `close` ends its looking. */
export class LoneNodesDesk implements NodesDesk {
  readonly enabled = false
  readonly node: string
  readonly requests = []
  readonly codes = []
  readonly removed = []
  readonly clusterPort = undefined
  readonly figures = { peers: [], member: undefined }
  readonly #options: LoneOptions
  readonly #listeners = new Set<() => void>()
  readonly #timer: NodeJS.Timeout
  #status: NodeStatus | undefined

  constructor(options: LoneOptions) {
    this.#options = options
    this.node = options.node
    this.#timer = setInterval(() => void this.#look(), LOOK_MS)
    this.#timer.unref()
    void this.#look()
  }

  get nodes(): readonly Node[] {
    return [loneNode(this.node, this.#status, this.pausedUntil !== undefined)]
  }

  get sentence(): string {
    return this.pausedUntil === undefined ? 'One PC carries the office.' : officeSentence(this.nodes)
  }

  get pausedUntil(): string | null | undefined {
    return this.#options.pause.until
  }

  pause(minutes: number | undefined): Promise<HandedOver> {
    return this.#options.pause.begin(minutes)
  }

  get places(): readonly NodePlace[] {
    return [{ name: this.node, addresses: this.#options.addresses(), ...chatPorts(this.#options.ports()) }]
  }

  async setEnabled(enabled: boolean, by: string): Promise<void> {
    if (enabled) await this.#options.enable(by)
  }

  makeJoinCode(): Promise<never> {
    return Promise.reject(shut())
  }

  dropJoinCode(): Promise<never> {
    return Promise.reject(refusal('not-found', 'There is no such join code.'))
  }

  answerJoin(): Promise<never> {
    return Promise.reject(refusal('not-found', 'Nobody waits to join.'))
  }

  async discover(): Promise<[]> {
    return []
  }

  drain(): Promise<never> {
    return Promise.reject(alone())
  }

  resume(): Promise<void> {
    return this.#options.pause.end()
  }

  async restart(): Promise<void> {
    await this.#options.restart()
  }

  remove(): Promise<never> {
    return Promise.reject(refusal('refused', 'The last PC of an office cannot be removed.'))
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    clearInterval(this.#timer)
    this.#listeners.clear()
  }

  async #look(): Promise<void> {
    try {
      this.#status = await this.#options.reader.read(this.#options.chat(), {
        state: 'on',
        database: this.#options.isDatabaseOutside() ? 'outside' : 'main',
        member: 'off',
        links: [],
      })
      for (const listener of this.#listeners) listener()
    } catch (error) {
      this.#options.complain(error)
    }
  }
}

export interface LoneOptions extends Pick<NodeActions, 'pause' | 'restart'> {
  readonly node: string
  readonly reader: StatusReader
  chat(): Chat | undefined
  isDatabaseOutside(): boolean
  ports(): Readonly<Record<string, number | undefined>>
  /** Where people connect, best first. */
  addresses(): readonly string[]
  /** Lets other PCs join from now on. @throws Refusal */
  enable(by: string): Promise<void>
  complain(error: unknown): void
}

function loneNode(name: string, status: NodeStatus | undefined, isPaused: boolean): Node {
  const common = { number: 1, name, here: true, canRemove: false, whyNotRemove: 'It is the only PC of the office.' }
  if (!status) {
    const unknown = { people: 0, connections: 0, routes: 0, addresses: [], links: [] }
    return {
      ...common,
      ...unknown,
      state: 'starting',
      sentence: 'Is starting.',
      database: 'main',
      member: 'off',
      settings: 'applied',
    }
  }
  const { links, settings: _counter, ...told } = status
  return {
    ...common,
    ...told,
    ...(isPaused && { state: 'paused' }),
    links: [...links],
    seenAt: new Date().toISOString(),
    sentence: isPaused ? takenOut : 'Works.',
    settings: 'applied',
  }
}
