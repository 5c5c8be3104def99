/** What browsers from before 2022 lack of all that these pages use; imported before anything else. Newer ones keep their own. */

/** Adds a method where there is none. */
function lend(to: object, name: string, value: (...input: never[]) => unknown): void {
  if (!(name in to)) Object.defineProperty(to, name, { value, configurable: true, writable: true })
}

function at<T>(this: ArrayLike<T>, index: number): T | undefined {
  return this[index < 0 ? this.length + index : index]
}

function replaceAll(this: string, text: string, by: string): string {
  return this.split(text).join(by)
}

function timeout(afterMs: number): AbortSignal {
  const controller = new AbortController()
  setTimeout(() => controller.abort(), afterMs)
  return controller.signal
}

lend(Array.prototype, 'at', at)
lend(String.prototype, 'at', at)
lend(String.prototype, 'replaceAll', replaceAll)
lend(AbortSignal, 'timeout', timeout)
