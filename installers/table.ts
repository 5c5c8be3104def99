/** The table that `npm run dist` ends with. */

/** A finished file, or one that is not made here, and why. */
export type Product =
  | {
      readonly name: string
      readonly bytes: number
      readonly sha256: string
      readonly warning?: string
      readonly faults: readonly string[]
    }
  | { readonly name: string; readonly reason: string }

/** Lines for a terminal: file, size, SHA-256; below, what was not made. */
export function tableOf(products: readonly Product[]): string {
  const made = products.flatMap(product => ('sha256' in product ? [product] : []))
  const width = Math.max(4, ...made.map(product => product.name.length))
  const row = (name: string, size: string, sum: string) => `${name.padEnd(width)}  ${size.padStart(9)}  ${sum}`
  const lines = [
    row('file', 'size', 'SHA-256'),
    ...made.map(({ name, bytes, sha256 }) => row(name, megabytes(bytes), sha256)),
    '',
    ...made.flatMap(({ name, warning, faults }) =>
      [...(warning ? [warning] : []), ...faults].map(one => `${name}: ${one}`),
    ),
    ...products.flatMap(product =>
      'reason' in product ? [`${product.name}: not made, because ${product.reason}`] : [],
    ),
  ]
  return `${lines.join('\n').trimEnd()}\n`
}

/** '162.6 MB' */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
