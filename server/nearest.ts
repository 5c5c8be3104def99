/** The known name that somebody who wrote `name` most likely meant. Undefined when nothing is known. */
export function nearestTo(name: string, known: readonly string[]): string | undefined {
  return known.toSorted((a, b) => editDistance(name, a) - editDistance(name, b))[0]
}

/** How many letters must be added, removed or changed to make `b` of `a` (Levenshtein), case ignored. */
export function editDistance(a: string, b: string): number {
  const [left, right] = [a.toLowerCase().slice(0, 100), b.toLowerCase()]
  let row = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let i = 1; i <= left.length; i++) {
    const next = [i]
    for (let j = 1; j <= right.length; j++) {
      const change = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1)
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[right.length] ?? 0
}
