/** Finds where a text stops being JSON (RFC 8259), for people who wrote it by hand: JSON.parse often does not say. */

export interface JsonFault {
  /** Both from 1, as editors count. */
  line: number
  column: number
  /** What is wrong there, to go on a sentence: "a comma or } is missing". */
  what: string
}

const depthMax = 100

/** The first fault of `text`, or undefined when it is JSON. A key that stands twice in one object is a fault, too. */
export function findJsonFault(text: string): JsonFault | undefined {
  try {
    const scan = new Scan(text)
    scan.value(0)
    scan.space()
    if (scan.at < text.length) scan.fail('there is something after the end of the file’s one value')
    return undefined
  } catch (error) {
    if (!(error instanceof FaultAt)) throw error
    const before = text.slice(0, error.at).split('\n')
    return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1, what: error.message }
  }
}

class FaultAt extends Error {
  readonly at: number

  constructor(at: number, what: string) {
    super(what)
    this.at = at
  }
}

class Scan {
  at = 0
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  fail(what: string, at = this.at): never {
    throw new FaultAt(at, this.at >= this.#text.length ? `the file ends too early: ${what}` : what)
  }

  space(): void {
    this.#match(/[ \t\r\n]*/y)
  }

  value(depth: number): void {
    if (depth > depthMax) this.fail(`more than ${depthMax} brackets stand in each other`)
    this.space()
    const next = this.#text[this.at]
    if (next === '{') this.#object(depth)
    else if (next === '[') this.#list(depth)
    else if (next === '"') this.#string()
    else if (next === "'") this.fail('texts stand in double quotes (")')
    else if (!this.#match(/true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y)) this.#noValue(next)
  }

  #noValue(next: string | undefined): never {
    if (next === '/' || next === '#') this.fail('JSON knows no comments')
    if (next === ',' || next === '}' || next === ']') this.fail('a value is missing here, or there is a comma too many')
    return this.fail('a value is expected here: a text in double quotes, a number, true, false, null, [ or {')
  }

  #object(depth: number): void {
    const keys = new Set<string>()
    this.at++
    this.space()
    if (this.#take('}')) return
    for (;;) {
      this.space()
      if (this.#text[this.at] === '}') this.fail('there is a comma too many before the }')
      if (this.#text[this.at] !== '"') this.fail('the name of a setting in double quotes is expected here')
      const start = this.at
      const key = this.#string()
      if (keys.has(key)) this.fail(`${key} stands here a second time`, start)
      keys.add(key)
      this.space()
      if (!this.#take(':')) this.fail(`a colon is missing after ${key}`)
      this.value(depth + 1)
      this.space()
      if (this.#take('}')) return
      if (!this.#take(',')) this.fail('a comma or } is missing')
    }
  }

  #list(depth: number): void {
    this.at++
    this.space()
    if (this.#take(']')) return
    for (;;) {
      this.value(depth + 1)
      this.space()
      if (this.#take(']')) return
      if (!this.#take(',')) this.fail('a comma or ] is missing')
      this.space()
      if (this.#text[this.at] === ']') this.fail('there is a comma too many before the ]')
    }
  }

  #string(): string {
    const start = this.at
    if (!this.#match(/"(?:[^"\\\p{Cc}]|[\u007f-\u009f]|\\["\\/bfnrt]|\\u[\da-fA-F]{4})*/uy))
      this.fail('a text in double quotes is expected')
    if (this.#take('"')) return this.#text.slice(start, this.at)
    if (this.#text[this.at] === '\\') this.fail('a backslash in a text is written twice (\\\\)')
    return this.fail('the closing double quote of this text is missing')
  }

  #take(character: string): boolean {
    if (this.#text[this.at] !== character) return false
    this.at++
    return true
  }

  #match(pattern: RegExp): boolean {
    pattern.lastIndex = this.at
    if (!pattern.test(this.#text)) return false
    this.at = pattern.lastIndex
    return true
  }
}
