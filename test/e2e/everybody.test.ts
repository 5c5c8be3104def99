import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chance, some } from '../faults/random.ts'
import { type Appliance, people, startAppliance } from '../support/appliance.ts'
import { browserProgram, expectNoBarrier, expectToFit, openBrowser, openPage, signIn } from './browser.ts'

const isLeftOut = browserProgram() === undefined
const pages = [
  '',
  'people',
  'people?add',
  'devices',
  'connect',
  'pcs',
  'pcs?add',
  'health',
  'database',
  'backup',
  'history',
  'log',
  'settings/sign-in',
  'settings/messages',
  'settings/certificates',
  'settings/updates',
  'settings/scripts',
  'settings/changes',
  'recovery',
  'no-such-page',
]
const screens = [
  {
    name: 'light, 1280 wide',
    look: expectNoBarrier,
    options: { colorScheme: 'light', viewport: { width: 1280, height: 800 } },
  },
  {
    name: 'dark, 1280 wide',
    look: expectNoBarrier,
    options: { colorScheme: 'dark', viewport: { width: 1280, height: 800 } },
  },
  // As narrow as 200 % below and the same colours as above: here only the width is new.
  {
    name: 'light, a phone',
    look: expectToFit,
    options: { colorScheme: 'light', viewport: { width: 360, height: 740 } },
  },
  // 200 % on a screen of 1280 × 800: half as many pixels of CSS, twice as many dots.
  {
    name: 'dark, 200 %',
    look: expectNoBarrier,
    options: { colorScheme: 'dark', viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 },
  },
] as const

/** Each takes seconds: of all of them two in a usual run. */
const luck = chance()
const played = some(screens, 2, luck)
process.stdout.write(`everybody: FAULT_SEED=${luck.seed}\n`)

describe.skipIf(isLeftOut)('everybody can use the pages', () => {
  let appliance: Appliance
  let browser: Browser
  beforeAll(async () => {
    ;[appliance, browser] = await Promise.all([startAppliance(), openBrowser()])
  }, 90_000)
  afterAll(async () => {
    await browser?.close()
    await appliance?.cleanup()
  }, 60_000)

  test.each(played)(
    'no barrier and no sideways scrolling: $name',
    async ({ options, look }) => {
      const { page, faults } = await openPage(browser, { ...options, reducedMotion: 'reduce' })
      await page.goto(appliance.adminUrl)
      await page.getByLabel('User name').waitFor()
      await look(page, 'sign-in')
      await signIn(page, appliance.adminUrl, people.anna)
      for (const path of pages) {
        await page.goto(`${appliance.adminUrl}#/${path}`)
        await page.locator('main h1').waitFor()
        // What the page shows has come when its first card is there; the page that does not exist has a link instead.
        await page.locator('main .card, main a.primary').first().waitFor()
        await look(page, `#/${path}`)
      }
      expect(faults).toEqual([])
      await page.context().close()
    },
    90_000,
  )

  test('only administrators get in, and a session that ended leads back to the sign-in page', async () => {
    const { page } = await openPage(browser)
    await page.goto(appliance.adminUrl)
    await page.getByLabel('User name').fill(people.romeo.username)
    await page.getByLabel('Password', { exact: true }).fill(people.romeo.password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page
      .getByRole('alert')
      .filter({ hasText: /administrator/i })
      .waitFor()

    await signIn(page, appliance.adminUrl, people.anna)
    await page.getByRole('heading', { name: 'What happened' }).waitFor()
    await page.context().clearCookies()
    await page.evaluate("location.hash = '/people'")
    await page.getByText('You were signed out').waitFor()
  })

  test('who guesses passwords has to wait, and is told how long', async () => {
    const { page } = await openPage(browser)
    await page.goto(appliance.adminUrl)
    await page.getByLabel('User name').fill('juliet')
    const alert = page.getByRole('alert')
    const button = page.getByRole('button', { name: /^(Sign in|Signing in|Try again)/ })
    for (let guess = 1; guess <= 20; guess++) {
      await page.getByLabel('Password', { exact: true }).fill(`guess number ${guess}`)
      await button.click()
      await alert.locator('p').waitFor()
      if (/Try again in \d+ second/.test((await button.textContent()) ?? '')) return
    }
    throw new Error('Twenty wrong passwords were not too many.')
  })
})
