/**
 * Rows of symbols (numbers 0–31) with two check symbols each: a Reed–Solomon code over GF(32). Every row with one or two wrong symbols is noticed; where the
 * wrong one stands is known when it is one.
 */

/** Symbols of a full row, check symbols included. The field has 31 places. */
export const rowSymbols = 28
const checkSymbols = 2

const field = 31
/** Powers of x in GF(2)[x] / (x⁵ + x² + 1), where x generates all 31 elements but zero. */
const powers = makePowers()
const logarithms = new Map(powers.map((value, exponent) => [value, exponent]))

/** Where a row is wrong: at one place, or somewhere from–to (inclusive). */
export interface WrongPlace {
  readonly from: number
  readonly to: number
}

/** Gives the symbols with check symbols behind each row's, filled up with zeros so that the number of symbols is a multiple of four. */
export function withChecks(symbols: readonly number[]): number[] {
  const perRow = rowSymbols - checkSymbols
  const filled = [...symbols]
  while ((filled.length % perRow) % 4 !== 2 && filled.length % perRow !== 0) filled.push(0)
  const rows: number[] = []
  for (let start = 0; start < filled.length; start += perRow) {
    const row = filled.slice(start, start + perRow)
    rows.push(...row, ...checksOf(row))
  }
  return rows
}

/** Takes the check symbols out again. @returns the symbols, or where the first wrong row is wrong */
export function withoutChecks(symbols: readonly number[]): number[] | WrongPlace {
  const plain: number[] = []
  for (let start = 0; start < symbols.length; start += rowSymbols) {
    const row = symbols.slice(start, start + rowSymbols)
    const wrong = wrongIn(row)
    if (wrong) return { from: start + wrong.from, to: start + wrong.to }
    plain.push(...row.slice(0, -checkSymbols))
  }
  return plain
}

/** How many symbols `withChecks` makes of so many. */
export function checkedLength(symbols: number): number {
  return withChecks(Array.from({ length: symbols }, () => 0)).length
}

/** Solves a + b = Σcᵢ and xᵏa + xᵏ⁺¹b = Σxⁱcᵢ: with both behind it the row has both sums zero. */
function checksOf(row: readonly number[]): [number, number] {
  const { plain, weighted } = sumsOf(row)
  const moved = times(weighted, power(-row.length))
  const second = times(plain ^ moved, power(-(logarithms.get(1 ^ power(1)) ?? 0)))
  return [plain ^ second, second]
}

function wrongIn(row: readonly number[]): WrongPlace | undefined {
  const { plain, weighted } = sumsOf(row)
  if (plain === 0 && weighted === 0) return undefined
  const [a, b] = [logarithms.get(plain), logarithms.get(weighted)]
  const place = a === undefined || b === undefined ? row.length : (b - a + field) % field
  return place < row.length ? { from: place, to: place } : { from: 0, to: row.length - 1 }
}

function sumsOf(row: readonly number[]): { plain: number; weighted: number } {
  let [plain, weighted] = [0, 0]
  for (const [place, symbol] of row.entries()) {
    plain ^= symbol
    weighted ^= times(symbol, power(place))
  }
  return { plain, weighted }
}

function times(a: number, b: number): number {
  const [left, right] = [logarithms.get(a), logarithms.get(b)]
  return left === undefined || right === undefined ? 0 : power(left + right)
}

function power(exponent: number): number {
  return powers[((exponent % field) + field) % field] ?? 0
}

function makePowers(): number[] {
  const values: number[] = []
  let value = 1
  for (let exponent = 0; exponent < field; exponent++) {
    values.push(value)
    value <<= 1
    if (value & 0b10_0000) value ^= 0b10_0101
  }
  return values
}
