import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Appliance, people, startAppliance } from '../support/appliance.ts'
import { quietPort } from '../support/postgres-server.ts'
import { browserProgram, expectNoBarrier, openBrowser, openPage, signIn } from './browser.ts'
import { type Fresh, startFresh } from './fresh.ts'

const isLeftOut = browserProgram() === undefined
/** The links alone: a Java for each PC would take the time that this test does not have. */
const env = { LANTHORN_TEST_NO_HAZELCAST: '1' }
const joinMs = 40_000

describe.skipIf(isLeftOut)('a second PC comes into the office', () => {
  let office: Appliance
  let fresh: Fresh
  let browser: Browser
  let clusterPort: number
  beforeAll(async () => {
    clusterPort = await quietPort()
    const config = {
      listen: { cluster: clusterPort },
      cluster: { enabled: true, discovery: { port: await quietPort() } },
    }
    ;[office, fresh, browser] = await Promise.all([
      startAppliance({ config, env }),
      startFresh({ pc: 'back-office', env }),
      openBrowser(),
    ])
  }, 90_000)
  afterAll(async () => {
    await browser?.close()
    await fresh?.[Symbol.asyncDispose]()
    await office?.cleanup()
  }, 60_000)

  test('both screens show one code, somebody presses Accept, and Home of both shows two PCs', async () => {
    const here = await openPage(browser, { reducedMotion: 'reduce' })
    const there = await openPage(browser, { reducedMotion: 'reduce' })
    await signIn(here.page, office.adminUrl, people.anna)
    await here.page.getByRole('heading', { name: 'One PC carries the office.' }).waitFor()

    const { page } = there
    await page.goto(fresh.adminUrl)
    await page.getByRole('radio', { name: /Join one I know the address of/ }).check()
    await page.getByLabel('Address of one of its PCs').fill(`127.0.0.1:${clusterPort}`)
    await page.getByRole('button', { name: 'Join this office' }).click()
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
      const map = page.getByRole('region', { name: 'Map of the PCs' })
      await map.getByRole('link', { name: /front-desk/ }).waitFor()
      await map.getByRole('link', { name: /back-office/ }).waitFor()
      const lines = page.getByRole('list', { name: 'Lines between the PCs' })
      await lines.getByText(/front-desk and back-office( reach each other| is slow)/).waitFor({ state: 'attached' })
      expect(faults).toEqual([])
    }
  }, 90_000)
})
