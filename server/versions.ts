/** Versions of the program: which of two is the newer one, and whether they may carry one office together. */

/** '1.3.0' as its three numbers; what stands behind them ('-test') is not compared. Undefined: it is no version. */
export function numbersOf(version: string): readonly [number, number, number] | undefined {
  const [, major, minor, patch = '0'] = /^(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?(?:[.+-]|$)/.exec(version) ?? []
  return major === undefined || minor === undefined ? undefined : [Number(major), Number(minor), Number(patch)]
}

/** Whether `version` is newer than `other`. What is no version is never newer, and nothing is newer than it. */
export function isNewer(version: string, other: string): boolean {
  const [ours, theirs] = [numbersOf(version), numbersOf(other)]
  if (!ours || !theirs) return false
  const place = ours.findIndex((number, index) => number !== theirs[index])
  return place >= 0 && (ours[place] ?? 0) > (theirs[place] ?? 0)
}

/** Whether two versions work side by side on one database: the same first number, and the second one at most one apart. */
export function areNeighbours(one: string, other: string): boolean {
  const [left, right] = [numbersOf(one), numbersOf(other)]
  return left !== undefined && right !== undefined && left[0] === right[0] && Math.abs(left[1] - right[1]) <= 1
}
