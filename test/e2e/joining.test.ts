import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Appliance, people, startAppliance } from '../support/appliance.ts'
import { quietPort } from '../support/postgres-server.ts'
import { browserProgram, expectNoBarrier, openBrowser, openPage, signIn, type Watched } from './browser.ts'
import { type Fresh, startFresh } from './fresh.ts'

const isLeftOut = browserProgram() === undefined
/** The links alone: a Java for each PC would take the time that this test does not have. */
const env = { LANTHORN_TEST_NO_HAZELCAST: '1' }
const joinMs = 40_000

/** Screens 3b and 8 to 14 of the storyboard, on real appliances that hear of each other by their beacons. */
describe.skipIf(isLeftOut)('a second and a third PC come into the office', () => {
  let office: Appliance
  let second: Fresh
  let third: Fresh
  let browser: Browser
  /** Home of the first PC, open all the while. */
  let here: Watched
  beforeAll(async () => {
    const discoveryPort = await quietPort()
    const config = {
      listen: { cluster: await quietPort() },
      cluster: { enabled: true, discovery: { port: discoveryPort } },
    }
    ;[office, second, third, browser] = await Promise.all([
      startAppliance({ config, env }),
      startFresh({ pc: 'back-office', discoveryPort, env }),
      startFresh({ pc: 'workshop', discoveryPort, env }),
      openBrowser(),
    ])
    here = await openPage(browser, { reducedMotion: 'reduce' })
    await signIn(here.page, office.adminUrl, people.anna)
    await here.page.getByRole('heading', { name: 'One PC carries the office.' }).waitFor()
  }, 90_000)
  afterAll(async () => {
    await browser?.close()
    await Promise.all([third?.[Symbol.asyncDispose](), second?.[Symbol.asyncDispose]()])
    await office?.cleanup()
  }, 60_000)

  const map = (page: Page) => page.getByRole('region', { name: 'Map of the PCs' })
  const isTold = (sentence: string) => here.page.getByText(sentence).first().waitFor()

  test('its card is there; both screens show one code, somebody presses Accept, and Home of both shows two PCs', async () => {
    const there = await openPage(browser, { reducedMotion: 'reduce' })
    const { page } = there
    await page.goto(second.adminUrl)
    await page.getByRole('heading', { name: 'There is an office on your network' }).waitFor()
    expect(await page.getByRole('radio', { name: 'ACME', exact: true }).isChecked()).toBe(true)
    await page.getByText(/front-desk · \d people · seen just now/).waitFor()
    await page.getByRole('button', { name: 'Join ACME' }).click()
    await page.getByText('Does front-desk show the same?').waitFor()
    const code = /\d{4} · \w+ \w+/.exec((await page.locator('main').textContent()) ?? '')?.[0] ?? 'no code'

    // By itself, on whatever page the administrator has open.
    const request = here.page.getByRole('region', { name: 'PCs that want to join' })
    await request.getByRole('heading', { name: 'back-office wants to join' }).waitFor()
    await request.getByText(code).waitFor()
    await expectNoBarrier(here.page, 'a request to join')
    await request.getByRole('button', { name: 'Accept back-office' }).click()

    await page.getByRole('heading', { name: 'This PC carries ACME now' }).waitFor({ timeout: joinMs })
    await expectNoBarrier(page, 'joined')
    await page.getByRole('button', { name: 'Open ACME' }).click()
    await page.getByLabel('User name').fill(people.anna.username)
    await page.getByLabel('Password', { exact: true }).fill(people.anna.password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    for (const { page, faults } of [here, there]) {
      await map(page)
        .getByRole('link', { name: /front-desk/ })
        .waitFor()
      await map(page)
        .getByRole('link', { name: /back-office/ })
        .waitFor()
      const lines = page.getByRole('list', { name: 'Lines between the PCs' })
      await lines.getByText(/front-desk and back-office( reach each other| is slow)/).waitFor({ state: 'attached' })
      expect(faults).toEqual([])
    }
    await isTold('back-office is a PC of the office now.')
  }, 90_000)

  test('a join code lets the third in with nobody at the first: the map has three PCs, and tells what happened', async () => {
    await here.page.goto(`${office.adminUrl}#/pcs`)
    await here.page.getByRole('button', { name: 'Add a PC' }).click()
    await here.page.getByRole('button', { name: 'Make a join code' }).click()
    const dialog = here.page.getByRole('dialog')
    await dialog.getByRole('img', { name: /join code as a picture/ }).waitFor()
    const code = /ACME(-[0-9A-Z]{4})+/.exec((await dialog.textContent()) ?? '')?.[0] ?? 'no code'
    await dialog.getByRole('button', { name: 'Done' }).click()

    const { page, faults } = await openPage(browser, { reducedMotion: 'reduce' })
    await page.goto(third.adminUrl)
    await page.getByText('Details: join code').click()
    await page.getByLabel('Join code').fill(code)
    await page.getByRole('button', { name: 'Join with this code' }).click()
    await page.getByRole('heading', { name: 'This PC carries ACME now' }).waitFor({ timeout: joinMs })
    await page.getByText(/Three PCs carry the office\./).waitFor()
    expect(faults).toEqual([])

    await here.page.goto(`${office.adminUrl}#/`)
    await expect.poll(() => map(here.page).getByRole('link').count()).toBe(3)
    await isTold('workshop is a PC of the office now.')
  }, 90_000)

  test('from its panel a PC is taken out for maintenance, put back, and removed for good', async () => {
    const { page, faults } = here
    await map(page)
      .getByRole('link', { name: /workshop/ })
      .click()
    const panel = page.getByRole('region', { name: 'workshop' })
    await panel.getByRole('button', { name: 'Take out for maintenance' }).click()
    await isTold('workshop is out; it can be switched off. Nobody had to move.')
    await panel.getByRole('button', { name: 'Back to work' }).click()
    await isTold('workshop works again.')
    await panel.getByRole('button', { name: 'Remove from the office…' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Type workshop to confirm').fill('workshop')
    await dialog.getByRole('button', { name: 'Remove workshop' }).click()
    await isTold('workshop does not belong to the office any more.')
    await expect.poll(() => map(page).getByRole('link').count()).toBe(2)
    expect(faults).toEqual([])
  }, 60_000)
})
