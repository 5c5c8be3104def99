/** Namespace prefixes in scope while an element is scanned (XML-NAMES §6.1). The default namespace is not kept here. */

/** A stack of prefix declarations; inner ones hide outer ones. Empty for nearly all connections, nearly all of the time. */
export class Scope {
  #prefixes: string[] = []
  #uris: string[] = []

  /** How many declarations are in scope; hand it to `truncate` to leave an element. */
  get size(): number {
    return this.#prefixes.length
  }

  declare(prefix: string, uri: string): void {
    this.#prefixes.push(prefix)
    this.#uris.push(uri)
  }

  /** Index of the innermost declaration of this prefix, or -1. */
  find(prefix: string): number {
    return this.#prefixes.lastIndexOf(prefix)
  }

  prefix(index: number): string {
    return this.#prefixes[index] ?? ''
  }

  uri(index: number): string {
    return this.#uris[index] ?? ''
  }

  truncate(size: number): void {
    if (this.#prefixes.length > size) {
      this.#prefixes.length = size
      this.#uris.length = size
    }
  }
}
