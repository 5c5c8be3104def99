import type { Mesh } from './mesh.ts'

/** A process that is there answers at once that it is; after so long without that it hangs. */
const SIGN_MS = 400
/** Until then the sign of a node that hangs is waited for, though nobody waits for the node: longer than until it is gone. */
const HANGING_MS = 10_000
const THERE = 'there'

/**
 * Questions that somebody waits for. A node that hangs is `up` until it is suspected: the first question finds it out, and until it gives a sign
 * nobody else waits for it.
 */
export class PromptQuestions {
  readonly #mesh: Mesh
  /** By node: whether it gave a sign in time. */
  readonly #signs = new Map<string, Promise<boolean>>()
  readonly #hanging = new Set<string>()

  constructor(mesh: Mesh) {
    this.#mesh = mesh
    mesh.onCall(THERE, () => true)
  }

  hangs(node: string): boolean {
    return this.#hanging.has(node)
  }

  /** See Bus.askSoon. */
  async ask(node: string, topic: string, body: unknown, timeoutMs: number): Promise<unknown> {
    if (this.#mesh.peer(node)?.state !== 'up' || this.hangs(node)) return undefined
    const answer = this.#mesh.call(node, topic, body, { timeoutMs }).catch(() => undefined)
    const sign = this.#signs.get(node) ?? this.#sign(node)
    return await Promise.race([answer, sign.then(isThere => (isThere ? answer : undefined))])
  }

  #sign(node: string): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const limit = setTimeout(() => {
      this.#hanging.add(node)
      resolve(false)
    }, SIGN_MS)
    const over = (): void => {
      clearTimeout(limit)
      this.#signs.delete(node)
      this.#hanging.delete(node)
      resolve(true)
    }
    this.#signs.set(node, promise)
    // When nobody is there to answer, the question itself says so.
    this.#mesh.call(node, THERE, {}, { timeoutMs: HANGING_MS }).then(over, over)
    return promise
  }
}
