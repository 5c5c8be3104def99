import { expect, test } from 'vitest'
import { parseArguments } from './args.ts'

test('without options the window is shown and everything is where it always is', () => {
  expect(parseArguments(['electron', '.'], '/here')).toEqual({
    isHidden: false,
    data: undefined,
    profileDir: undefined,
    program: undefined,
  })
})

test('folders are read in both spellings and are relative to where the shell was started', () => {
  const argv = [
    'lanthorn-desktop',
    '--hidden',
    '--data',
    'mine',
    '--profile-dir=/tmp/profile',
    '--program',
    '../runtime',
  ]
  expect(parseArguments(argv, '/here/now')).toEqual({
    isHidden: true,
    data: '/here/now/mine',
    profileDir: '/tmp/profile',
    program: '/here/runtime',
  })
})

test('switches of Chromium stand among ours without harm', () => {
  const argv = ['lanthorn-desktop', '--no-sandbox', '--data', '/d', '--original-process-start-time=1', '--disable-gpu']
  expect(parseArguments(argv, '/')).toMatchObject({ data: '/d', isHidden: false })
})

test.each([
  ['at the end', ['lanthorn-desktop', '--data']],
  ['before another option', ['lanthorn-desktop', '--data', '--hidden']],
  ['behind the =', ['lanthorn-desktop', '--data=']],
])('an option without its folder is told in a sentence: %s', (_where, argv) => {
  expect(parseArguments(argv, '/')).toEqual({ fault: '--data needs a folder behind it.' })
})
