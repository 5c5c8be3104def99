import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { type AdminBench, anna, ben, openAdmin } from '../../test/support/admin.ts'
import { quietLog } from '../../test/support/database.ts'
import { BrowserSessions } from './browser-sessions.ts'
import type { Session } from './contract/session.ts'

let bench: AdminBench | undefined
const open = (): AdminBench => {
  if (!bench) throw new Error('no bench')
  return bench
}
beforeEach(async () => {
  await bench?.[Symbol.asyncDispose]()
  bench = await openAdmin()
})
afterAll(async () => bench?.[Symbol.asyncDispose]())

const trySignIn = (username: string, password: string) =>
  open().ask('POST', '/api/session', { body: { username, password } })
const whoAmI = (cookie: string | undefined) => open().ask<Session>('GET', '/api/session', { cookie })

describe('signing in with a password', () => {
  test('gives a cookie that no script reads and no other site sends', async () => {
    const { status, setCookie } = await trySignIn(anna.username, anna.password)
    expect(status).toBe(200)
    expect(setCookie).toMatch(/^__Host-lanthorn-session-9091=[\w-]{43}; Path=\/; HttpOnly; Secure; SameSite=Strict$/)
  })

  test('over loopback without TLS the cookie has another name and no Secure', async () => {
    open().origin.isSecure = false
    const { setCookie } = await trySignIn(anna.username, anna.password)
    expect(setCookie).toMatch(/^lanthorn-session-9091=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/)
  })

  test('takes the user name in any case, and the whole address', async () => {
    for (const typed of ['anna', ' Anna ', 'ANNA@acme.test', 'anna@ACME.test']) {
      expect((await trySignIn(typed, anna.password)).status, typed).toBe(200)
    }
    expect((await trySignIn('anna@elsewhere.test', anna.password)).status).toBe(401)
  })

  test('says the same of a wrong password, an unknown person, an impossible name and somebody who is blocked', async () => {
    await open().open.parts.accounts.create({ username: 'carl', password: 'carl-is-blocked', isAdmin: true })
    await open().open.parts.accounts.setBlocked('carl', true)
    const answers = [
      await trySignIn('anna', 'not-her-password'),
      await trySignIn('nobody', 'not-her-password'),
      await trySignIn('no body@@', 'not-her-password'),
      await trySignIn('carl', 'carl-is-blocked'),
    ]
    for (const { status, json, setCookie } of answers) {
      expect(status).toBe(401)
      expect(json).toEqual({ error: { code: 'wrong-password', sentence: 'The user name or the password is wrong.' } })
      expect(setCookie).toBe('')
    }
  })

  test('tells somebody with the right password that only administrators come in', async () => {
    const { status, json } = await trySignIn(ben.username, ben.password)
    expect(status).toBe(403)
    expect(json.error.code).toBe('not-administrator')
  })

  test('an unknown person costs as much work as a known one', async () => {
    const time = async (username: string): Promise<number> => {
      const startedAt = process.cpuUsage()
      for (let round = 0; round < 2; round++) {
        await trySignIn(username, 'some-wrong-password')
        open().clock.ahead += 60 * 60_000
      }
      const { user, system } = process.cpuUsage(startedAt)
      return user + system
    }
    await time('anna')
    const [known, unknown] = [await time('anna'), await time('nobody')]
    expect(unknown / known).toBeGreaterThan(0.2)
    expect(unknown / known).toBeLessThan(5)
  })
})

describe('guessing', () => {
  test('an address must wait after five failures, longer each time, and the right password does not help meanwhile', async () => {
    for (let failure = 1; failure < 5; failure++) expect((await trySignIn(`user${failure}`, 'wrong')).status).toBe(401)
    const fifth = await trySignIn('user5', 'wrong')
    expect(fifth.status).toBe(429)
    expect(fifth.json.error).toMatchObject({
      code: 'locked-out',
      waitSeconds: 2,
      sentence: expect.stringMatching(/wait 2 seconds/),
    })
    expect(fifth.headers['retry-after']).toBe('2')
    expect((await trySignIn(anna.username, anna.password)).json.error.code).toBe('locked-out')
    open().clock.ahead += 2_000
    expect((await trySignIn('user6', 'wrong')).json.error.waitSeconds).toBe(4)
    open().clock.ahead += 4_000
    expect((await trySignIn(anna.username, anna.password)).status).toBe(200)
  })

  test('many at once are counted one by one', async () => {
    const answers = await Promise.all(Array.from({ length: 12 }, () => trySignIn('anna', 'wrong')))
    expect(answers.filter(({ status }) => status === 401).length).toBeLessThan(5)
  })

  test('an account is locked against many addresses, but not for the place its owner signs in from', async () => {
    open().origin.address = '192.0.2.10'
    expect((await trySignIn(anna.username, anna.password)).status).toBe(200)
    for (let guess = 0; guess < 12; guess++) {
      open().origin.address = `192.0.2.${100 + guess}`
      await trySignIn('anna', 'wrong')
    }
    open().origin.address = '192.0.2.200'
    expect((await trySignIn(anna.username, anna.password)).json.error.code).toBe('locked-out')
    open().origin.address = '192.0.2.10'
    expect((await trySignIn(anna.username, anna.password)).status).toBe(200)
  })

  test('addresses of one IPv6 network count as one', async () => {
    for (let guess = 1; guess <= 5; guess++) {
      open().origin.address = `2001:db8:0:7::${guess}`
      await trySignIn(`user${guess}`, 'wrong')
    }
    open().origin.address = '2001:db8:0:7:ffff::1'
    expect((await trySignIn('user6', 'wrong')).status).toBe(429)
    open().origin.address = '2001:db8:0:8::1'
    expect((await trySignIn('user6', 'wrong')).status).toBe(401)
  })

  test('is written to the history once, when the waiting begins', async () => {
    for (let failure = 0; failure < 8; failure++) await trySignIn('anna<script>', 'wrong')
    const cookie = await (async () => {
      open().clock.ahead += 60_000
      return open().signIn()
    })()
    const { json } = await open().ask<{ entries: { sentence: string }[] }>('GET', '/api/history', { cookie })
    const told = json.entries.filter(({ sentence }) => /too many wrong passwords/.test(sentence))
    expect(told.map(({ sentence }) => sentence)).toEqual([
      'Somebody at 127.0.0.1 tried too many wrong passwords, the last for “annascript”, and has to wait.',
    ])
  })
})

describe('a session', () => {
  test('is known again, also after a restart of the server, and nothing of its secret is in the database', async () => {
    const cookie = await open().signIn()
    expect((await whoAmI(cookie)).json).toMatchObject({
      username: 'anna',
      address: 'anna@acme.test',
      office: 'ACME',
      pc: 'front-desk',
    })
    const rows = await open().db.query('SELECT * FROM browser_session')
    expect(rows).toHaveLength(1)
    const secret = cookie.split('=')[1] ?? ''
    expect(JSON.stringify(rows)).not.toContain(secret)
    const { accounts } = open().open.parts
    const afterRestart = new BrowserSessions({ db: open().db, accounts, log: quietLog, now: Date.now })
    expect(await afterRestart.find(secret)).toMatchObject({ username: 'anna', name: 'Anna Kessler' })
  })

  test('ends an hour after its last use, and twelve hours after its begin', async () => {
    const cookie = await open().signIn()
    for (let hour = 0; hour < 12; hour++) {
      expect((await whoAmI(cookie)).status, `hour ${hour}`).toBe(200)
      open().clock.ahead += 59 * 60_000
    }
    expect((await whoAmI(cookie)).status).toBe(200)
    open().clock.ahead += 20 * 60_000
    expect((await whoAmI(cookie)).status).toBe(401)
    const idle = await open().signIn()
    open().clock.ahead += 60 * 60_000
    expect((await whoAmI(idle)).status).toBe(401)
  })

  test('is over at once after signing out, for the cookie as well', async () => {
    const cookie = await open().signIn()
    const { setCookie } = await open().ask('DELETE', '/api/session', { cookie, body: {} })
    expect(setCookie).toMatch(/lanthorn-session-9091=;.*(Max-Age=0|Expires=Thu, 01 Jan 1970)/)
    expect((await whoAmI(cookie)).status).toBe(401)
    expect((await open().ask('DELETE', '/api/session', { body: {} })).status).toBe(200)
  })

  test('of another port, or a forged one, opens nothing', async () => {
    const cookie = await open().signIn()
    open().origin.port = 9999
    expect((await whoAmI(cookie)).status).toBe(401)
    open().origin.port = 9091
    expect((await whoAmI(`__Host-lanthorn-session-9091=${'A'.repeat(43)}`)).status).toBe(401)
    expect((await whoAmI('__Host-lanthorn-session-9091=')).status).toBe(401)
  })

  test('is over when its person is blocked, removed, given a new password, or an administrator no longer', async () => {
    const mine = await open().signIn()
    const clara = { username: 'clara', password: 'clara-has-keys-too' }
    const cases: [string, () => Promise<{ status: number }>][] = [
      ['password', () => open().ask('POST', '/api/people/clara/password', { cookie: mine, body: {} })],
      ['rights', () => open().ask('PATCH', '/api/people/clara', { cookie: mine, body: { admin: false } })],
      ['blocked', () => open().ask('PUT', '/api/people/clara/blocked', { cookie: mine, body: { blocked: true } })],
      ['removed', () => open().ask('DELETE', '/api/people/clara', { cookie: mine, body: {} })],
    ]
    for (const [name, change] of cases) {
      await open().open.parts.accounts.create({ ...clara, isAdmin: true })
      const theirs = await open().signIn(clara)
      expect((await whoAmI(theirs)).status, name).toBe(200)
      expect((await change()).status, name).toBe(200)
      expect((await whoAmI(theirs)).status, name).toBe(401)
      expect((await whoAmI(mine)).status, name).toBe(200)
      if (name !== 'removed') await open().open.parts.accounts.remove('clara')
    }
  })

  test('a second sign-in of one browser ends the first', async () => {
    const first = await open().signIn()
    const again = await open().ask('POST', '/api/session', {
      cookie: first,
      body: { username: anna.username, password: anna.password },
    })
    expect(again.status).toBe(200)
    expect((await whoAmI(first)).status).toBe(401)
    expect((await whoAmI(again.cookie)).status).toBe(200)
  })
})
