/** Frames to another node, in order. The node that holds a stanza decides everything; the far node only writes. */
export interface Bus {
  /**
   * Writes one serialised stanza to sessions of another node.
   * @param node the node that holds the sessions
   * @param targets full JIDs there
   * @param bytes the stanza, canonical (see xmpp/stanza.ts)
   * @returns per target whether a session took it; `gone` → the caller decides again without that resource
   */
  send(node: string, targets: readonly string[], bytes: Buffer): Promise<readonly ('taken' | 'gone')[]>
}

/** The bus of a lone node: there is nobody else, so every target is gone. */
export function localBus(): Bus {
  return { send: async (_node, targets) => targets.map(() => 'gone') }
}
