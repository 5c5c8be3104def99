import { expect, test } from 'vitest'
import { Interner } from './interning.ts'

test('Any word comes out as it went in, however many others there were', () => {
  const interner = new Interner()
  for (let round = 0; round < 2; round++) {
    for (let index = 0; index < 2500; index++) {
      const word = `user${index}@office.test/${'x'.repeat(index % 120)}`
      const bytes = Buffer.from(`<${word}>`)
      if (interner.word(bytes, 1, bytes.length - 1) !== word) expect.fail(word)
    }
  }
  expect(interner.word(Buffer.from(''), 0, 0)).toBe('')
})

test('Words that are not ASCII are read as UTF-8', () => {
  const interner = new Interner()
  for (const word of ['é', 'Ã©', '名', 'plain']) {
    const bytes = Buffer.from(word)
    expect(interner.text(bytes, 0, bytes.length)).toBe(word)
  }
})
