/**
 * Stanzas and words to other nodes, in order. The node that holds a stanza decides everything; the far node only writes. Nothing here is waited for on
 * the way of a stanza: `deliver` returns at once and tells later, if ever, who did not get it.
 */

/** The archive row behind a message: lets the far node finish it when the node that made it dies. */
export interface DeliveredRow {
  readonly id: string
  readonly from: string
  readonly to: string
  /** Local account that sent it. */
  readonly sender: string | undefined
  /** Local account it is for. */
  readonly receiver: string
  readonly pending: boolean
  readonly inSender: boolean
  readonly inReceiver: boolean
  /** The sender's 0198 stream and the count of the stanza in it. */
  readonly stream: string | undefined
  readonly count: number | undefined
  /** The count of the stanza before it in that stream that a row was made of. */
  readonly previous?: number | undefined
}

export interface Delivery {
  /** Full JIDs of that node. */
  readonly targets: readonly string[]
  /** The stanza as it is in the archive: the far node adds the receiver's stanza-id when `row.inReceiver`. */
  readonly bytes: Buffer
  readonly row?: DeliveredRow
  /** An IQ request of another person: only to a session that shares its presence with this bare and full JID (RFC 6121 §8.5.3.1). */
  readonly asker?: string
}

/**
 * What the table says of a committed row. `waits`: nobody in particular has it · `yours`: the session there that was reported has it · `other`: a session
 * elsewhere has it · `done`: it is pending no longer.
 */
export type WrittenAs = 'waits' | 'yours' | 'other' | 'done'

/** What nodes tell each other of rows that crossed. */
export interface RowNews {
  /** From the node that made them: they are committed. */
  readonly committed?: readonly (readonly [id: string, as: WrittenAs])[]
  /** To the node that made them, before it has committed: the 0198 stream that has it, and its count there. */
  readonly held?: readonly (readonly [id: string, stream: string, count: number])[]
  /** To the node that made them, before it has committed: a client has it. */
  readonly taken?: readonly string[]
}

/** A node that is not this one. */
export interface FarNode {
  readonly name: string
  readonly number: number
  readonly epoch: number
  readonly state: 'up' | 'suspected' | 'gone' | 'away'
}

export interface Bus {
  /** This node's life, as in the archive's `holder` ('3.17'). */
  readonly holder: string
  /** Every other node of the office. */
  readonly nodes: readonly FarNode[]
  /** One of them by name. */
  node(name: string): FarNode | undefined
  /**
   * Hands one stanza to sessions of another node.
   * @param unreached called at most once, later, with the targets that have no such session, or with all of them when the node is gone before it has
   *   answered: decide again without them
   * @returns 'sent'; 'full' or 'gone': nothing was sent
   */
  deliver(node: string, delivery: Delivery, unreached: (targets: readonly string[]) => void): 'sent' | 'full' | 'gone'
  /** Takes what others hand over. Returns the targets it could not give it to. */
  onDeliver(taker: (delivery: Delivery, from: FarNode) => readonly string[]): void
  /** Whenever everything that came from another node in one piece was handed over: what it makes to be written need not wait for the end of the turn. */
  onDelivered(listener: () => void): () => void
  /** Whether whoever writes to this session there should wait a little (`room`): it is far behind with its acknowledgements, or the link is. */
  isCrowded(node: string, target: string): boolean
  /** Resolves when that is over, after 250 ms at the latest. */
  room(node: string, target: string): Promise<void>
  /** Tells other nodes that a session here is crowded, or no longer. */
  tellCrowded(target: string, isCrowded: boolean): void
  /** Words about archive rows that crossed, between the node that made them and those they were handed to. In order with deliveries; may be lost. */
  tellRows(node: string, news: RowNews): void
  onRows(listener: (news: RowNews, from: FarNode) => void): void
  /** Tells something to one node, or to all (undefined). In order with deliveries. Lost when that node is gone: only for what can be found out otherwise. */
  tell(node: string | undefined, topic: string, body: unknown): void
  onTell(topic: string, listener: (body: never, from: FarNode) => void): () => void
  /** Asks one node. @throws CallFault */
  ask(node: string, topic: string, body: unknown, timeoutMs: number): Promise<unknown>
  /**
   * Asks one node while somebody waits. Never rejects: undefined when it is not up, refuses, does not answer in time, or hangs; of one that hangs that
   * is known after 400 ms, and from then on at once until it gives a sign.
   */
  askSoon(node: string, topic: string, body: unknown, timeoutMs: number): Promise<unknown>
  /** Whether a node that is up is known to hang: `askSoon` asks it nothing. */
  hangs(node: string): boolean
  onAsk(topic: string, answer: (body: never, from: FarNode) => unknown): () => void
  /**
   * Whether this process has just stood still for so long that the other nodes may have given it up, and serve its people. To be asked before what a client
   * has sent is handled: the client may have sent it again elsewhere.
   */
  hasStoodStill(): boolean
  /** That was noticed. */
  onStoodStill(listener: () => void): () => void
  /** A node came (again), is suspected, gone, or away. */
  onNode(listener: (node: FarNode, before: FarNode['state']) => void): () => void
}

/** The bus of a lone node: there is nobody else. */
export function localBus(holder = '0.0'): Bus {
  const nothing = (): void => undefined
  return {
    holder,
    nodes: [],
    node: () => undefined,
    deliver: () => 'gone',
    onDeliver: nothing,
    onDelivered: () => nothing,
    isCrowded: () => false,
    room: () => Promise.resolve(),
    tellCrowded: nothing,
    tellRows: nothing,
    onRows: nothing,
    tell: nothing,
    onTell: () => nothing,
    ask: () => Promise.reject(new Error('A lone node has nobody to ask.')),
    askSoon: () => Promise.resolve(undefined),
    hangs: () => false,
    onAsk: () => nothing,
    hasStoodStill: () => false,
    onStoodStill: () => nothing,
    onNode: () => nothing,
  }
}
