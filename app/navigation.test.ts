import { describe, expect, test } from 'vitest'
import { judge, mayHave, mayLoad } from './navigation.ts'

const home = 'http://127.0.0.1:9090'

describe('a navigation', () => {
  test.each([
    'http://127.0.0.1:9090/',
    'http://127.0.0.1:9090/#/people',
    'http://127.0.0.1:9090/api/certificates/office-ca',
  ])('within the own server stays here: %s', url => expect(judge(url, home)).toBe('here'))

  test.each([
    'https://gajim.org',
    'http://example.com/',
    'xmpp:anna@acme.lan',
    'http://127.0.0.1:9091/',
    'https://127.0.0.1:9090/',
  ])('to another place leaves the window: %s', url => expect(judge(url, home)).toBe('outside'))

  test.each([
    'file:///etc/passwd',
    'javascript:alert(1)',
    'data:text/html,hello',
    'smb://server/share',
    'ms-settings:',
    'vbscript:x',
    'https://acme.lan@evil.example/',
    'http://127.0.0.1:9090@evil.example/',
    `https://example.com/${'x'.repeat(2_000)}`,
    'nonsense',
    '',
  ])('that is none of these is refused: %s', url => expect(judge(url, home)).toBe('refused'))

  test('has no home while no server answers', () => {
    expect(judge('http://127.0.0.1:9090/', undefined)).toBe('outside')
  })
})

test('a page loads from its own server only', () => {
  for (const url of [`${home}/assets/a.js`, `blob:${home}/1`, 'data:image/png;base64,'])
    expect(mayLoad(url, home), url).toBe(true)
  for (const url of ['https://example.com/a.js', 'blob:https://example.com/1', 'file:///etc/passwd', 'ftp://a/', 'x']) {
    expect(mayLoad(url, home), url).toBe(false)
  }
  expect(mayLoad(`${home}/`, undefined)).toBe(false)
})

test('a page may copy a text, and nothing else', () => {
  expect(mayHave('clipboard-sanitized-write', `${home}/`, home)).toBe(true)
  expect(mayHave('clipboard-sanitized-write', 'https://example.com/', home)).toBe(false)
  expect(mayHave('clipboard-sanitized-write', `${home}/`, undefined)).toBe(false)
  for (const permission of [
    'clipboard-read',
    'media',
    'geolocation',
    'notifications',
    'openExternal',
    'fileSystem',
    'usb',
  ]) {
    expect(mayHave(permission, `${home}/`, home), permission).toBe(false)
  }
})
