/** Namespace prefixes in scope while an element is scanned (XML-NAMES §6.1). The default namespace is not kept here. */

/** A stack of prefix declarations; inner ones hide outer ones. Empty for nearly all connections, nearly all of the time. */
export class Scope {
  /** How many declarations are in scope; hand it to `truncate` to leave an element. */
  size = 0
  #prefixes: string[] = []
  #uris: string[] = []

  /** Brings a prefix into scope until `truncate`. */
  declare(prefix: string, uri: string): void {
    this.#prefixes.push(prefix)
    this.#uris.push(uri)
    this.size++
  }

  /** Index of the innermost declaration of this prefix, or -1. */
  find(prefix: string): number {
    return this.#prefixes.lastIndexOf(prefix)
  }

  /** The prefix of the declaration that `find` found. */
  prefix(index: number): string {
    return this.#prefixes[index] ?? ''
  }

  /** The namespace of the declaration that `find` found. */
  uri(index: number): string {
    return this.#uris[index] ?? ''
  }

  /** Leaves an element: only the first `size` declarations stay in scope. */
  truncate(size: number): void {
    if (this.size > size) {
      this.size = size
      this.#prefixes.length = size
      this.#uris.length = size
    }
  }
}
