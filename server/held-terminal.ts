/**
 * Keeps log lines from the screen until the start has succeeded: a start that fails says one sentence there and nothing
 * else. The log file has them all the same.
 */
export class HeldTerminal {
  readonly #stream: Pick<NodeJS.WriteStream, 'write' | 'isTTY'>
  #held: string[] | undefined = []

  constructor(stream: Pick<NodeJS.WriteStream, 'write' | 'isTTY'>) {
    this.#stream = stream
  }

  get isTTY(): boolean {
    return this.#stream.isTTY
  }

  write(text: string): void {
    if (this.#held) this.#held.push(text)
    else this.#stream.write(text)
  }

  /** Shows what was held, and everything from now on. */
  release(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const text of held) this.#stream.write(text)
  }
}
