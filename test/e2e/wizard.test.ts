import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { withTimeout } from '../support/timeout.ts'
import { browserProgram, expectNoBarrier, openBrowser, openPage } from './browser.ts'
import { startFresh } from './fresh.ts'

const isLeftOut = browserProgram() === undefined

describe.skipIf(isLeftOut)('the first ten minutes', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await openBrowser()
  })
  afterAll(() => browser?.close())

  test('an office is made from nothing, and the maker is signed in on Home', async () => {
    await using fresh = await startFresh()
    const { page, faults } = await openPage(browser)
    await page.goto(fresh.adminUrl)
    await page.getByRole('button', { name: 'Start a new office' }).waitFor()
    await expectNoBarrier(page, 'welcome')
    await page.getByRole('button', { name: 'Start a new office' }).click()

    await page.getByLabel('Name').fill('ACME & Sons')
    await page.getByLabel('Address people will have').fill('not a domain')
    await expectSentence(page, /not a domain|domain/i, '[aria-invalid=true]')
    await expectNoBarrier(page, 'a refused domain')
    await page.getByLabel('Address people will have').fill('acme.lan')
    await page.getByRole('button', { name: 'Use this address' }).click()

    await page.getByLabel('Your name').fill('Anna Berg')
    expect(await page.getByLabel('User name').inputValue()).toBe('anna')
    await page.getByText('anna@acme.lan').waitFor()
    await page.getByLabel('Password', { exact: true }).fill('short')
    await page.getByRole('button', { name: 'Create ACME & Sons' }).click()
    await page.getByText('Use at least 8 characters.').waitFor()
    await page.getByLabel('Password', { exact: true }).fill('river lamp stone 77')
    await page.getByText('Strong', { exact: true }).waitFor()
    await expectNoBarrier(page, 'the first person')
    await page.getByRole('button', { name: 'Create ACME & Sons' }).click()

    await page.getByRole('heading', { name: 'ACME & Sons is ready' }).waitFor({ timeout: 30_000 })
    await expectNoBarrier(page, 'the recovery sheet')
    const [saved] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Save the sheet' }).click(),
    ])
    expect(saved.suggestedFilename()).toContain('Recovery sheet')
    await page.getByRole('button', { name: 'Go to Home' }).click()

    await page.getByRole('heading', { name: 'What happened' }).waitFor()
    expect(await page.getByRole('button', { name: 'Sign out' }).isVisible()).toBe(true)
    const ready = await withTimeout(fresh.ready, 10_000, () => 'no line "ready" although the office is made')
    expect(ready.domain).toBe('acme.lan')
    expect(faults).toEqual([])
  }, 120_000)

  test('the whole way can be walked by keyboard alone, and Back keeps the answers', async () => {
    await using fresh = await startFresh()
    const { page, faults } = await openPage(browser, { reducedMotion: 'reduce', colorScheme: 'dark' })
    // The address that the tray opens: its token must not stay in the address bar.
    await page.goto(fresh.link)
    await page.getByRole('button', { name: 'Start a new office' }).waitFor()
    expect(page.url()).not.toContain('token')
    await expectNoBarrier(page, 'welcome in the dark')

    await tabTo(page, 'Start a new office')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'What is your office called?' }).waitFor()
    await tabTo(page, 'Name')
    await page.keyboard.type('ACME')
    await tabTo(page, 'Use this address')
    await page.keyboard.press('Enter')

    await page.getByRole('heading', { name: 'Who are you?' }).waitFor()
    await tabTo(page, 'Back')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'What is your office called?' }).waitFor()
    expect(await page.getByLabel('Name').inputValue()).toBe('ACME')
    await tabTo(page, 'Use this address')
    await page.keyboard.press('Enter')

    await page.getByRole('heading', { name: 'Who are you?' }).waitFor()
    await tabTo(page, 'Your name')
    await page.keyboard.type('Ben Hall')
    await tabTo(page, 'Password')
    await page.keyboard.type('river lamp stone 77')
    await tabTo(page, 'Create ACME')
    await page.keyboard.press('Enter')

    await page.getByRole('heading', { name: 'ACME is ready' }).waitFor({ timeout: 30_000 })
    await tabTo(page, 'Later (Home reminds you)')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'more things' }).waitFor()
    await page.getByText('Keep the recovery sheet').waitFor()
    expect(faults).toEqual([])
  }, 120_000)
})

/** Run in the page: what the focused thing is called. */
const nameOfFocused = '(document.activeElement.labels?.[0] ?? document.activeElement).textContent.trim()'

/** Presses Tab until the element of that name has the focus; 40 presses are more than any page of the wizard has stops. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let pressed = 0; pressed < 40; pressed++) {
    await page.keyboard.press('Tab')
    const focused = await page.evaluate<string>(nameOfFocused)
    if (focused === name) return
  }
  throw new Error(`Tab never reaches “${name}”.`)
}

/** Waits until the marked field is described by a sentence like this. */
async function expectSentence(page: Page, sentence: RegExp, field: string): Promise<void> {
  await page.locator(field).first().waitFor()
  const described = (await page.locator(field).first().getAttribute('aria-describedby')) ?? ''
  const texts = await Promise.all(described.split(' ').map(id => page.locator(`[id="${id}"]`).textContent()))
  expect(texts.join(' ')).toMatch(sentence)
}
