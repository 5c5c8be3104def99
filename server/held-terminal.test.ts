import { expect, test } from 'vitest'
import { HeldTerminal } from './held-terminal.ts'

function screen() {
  const shown: string[] = []
  return { shown, isTTY: false, write: (text: string) => shown.push(text) > 0 }
}

test('what was logged before the start succeeded is shown once it has, in order, and the rest at once', () => {
  const stderr = screen()
  const terminal = new HeldTerminal(stderr)
  terminal.write('one')
  terminal.write('two')
  expect(stderr.shown).toEqual([])
  terminal.release()
  terminal.write('three')
  terminal.release()
  expect(stderr.shown).toEqual(['one', 'two', 'three'])
})
