import { expect, test } from 'vitest'
import { progressLine } from './progress-line.ts'

test('on a terminal one line changes, never longer than the terminal is wide, and is gone at the end', () => {
  let written = ''
  const write = (text: string): void => {
    written += text
  }
  const line = progressLine({ isTTY: true, columns: 11, write }, () => expect.unreachable())
  line.show('10 % of it, and more', '10 %')
  line.show('20 %', '20 %')
  line.show('20 %', '20 %')
  line.end()
  expect(written).toBe('\r\x1b[2K10 % of it\r\x1b[2K20 %\r\x1b[2K')
})

test('elsewhere each step is one line', () => {
  const lines: string[] = []
  const line = progressLine(undefined, text => lines.push(text))
  for (const rows of [1, 2, 3]) line.show(`10 % ${rows} rows`, '10 %')
  line.show('20 % 4 rows', '20 %')
  line.end()
  expect(lines).toEqual(['10 %', '20 %'])
})
