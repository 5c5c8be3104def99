import { expect, test } from 'vitest'
import { ownPageOf } from './own-page.ts'

const page = (situation: Parameters<typeof ownPageOf>[0], canStart = true, platform: NodeJS.Platform = 'linux') =>
  decodeURIComponent(ownPageOf(situation, { canStart, account: 'anna', platform }))

test('what is stopped can be started, where it can', () => {
  expect(page({ at: 'stopped' })).toContain('<a href="lanthorn:start">Start chat on this PC</a>')
  expect(page({ at: 'stopped' }, false)).not.toContain('<a ')
})

test('who may not look after the service is told what to do, and can sign in', () => {
  const text = page({ at: 'locked' })
  expect(text).toContain('add “anna” to the group lanthorn')
  expect(text).toContain('<a href="lanthorn:sign-in">Open the sign-in page</a>')
  expect(page({ at: 'locked' }, true, 'darwin')).toContain('the group _lanthorn')
  expect(page({ at: 'locked' }, true, 'win32')).toContain('let “anna” read the folder ProgramData\\Lanthorn\\run;')
})

test('what a server said last is shown as text, whatever it is', () => {
  const text = page({ at: 'failed', sentence: 'Port <b>9090</b> & "more" is in use.' })
  expect(text).toContain('Port &lt;b&gt;9090&lt;/b&gt; &amp; &quot;more&quot; is in use.')
})

test('no page has a script, and the policy would not let it run', () => {
  for (const at of ['starting', 'stopped', 'lost', 'locked'] as const) {
    expect(page({ at })).not.toMatch(/<script|javascript:| on\w+=/)
    expect(page({ at })).toContain("default-src 'none'")
  }
})
