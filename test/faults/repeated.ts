/** What stands more than once in a list, each as often as it is too many. */
export function repeated(values: readonly (string | undefined)[]): (string | undefined)[] {
  const seen = new Set<string | undefined>()
  return values.filter(value => {
    const isAgain = seen.has(value)
    seen.add(value)
    return isAgain
  })
}
