import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Appliance, people, startAppliance } from '../support/appliance.ts'
import { type ChatClient, logIn } from '../support/clients.ts'
import { browserProgram, openBrowser, openPage, signIn, type Watched } from './browser.ts'

const isLeftOut = browserProgram() === undefined

describe.skipIf(isLeftOut)('the office in the browser', () => {
  let appliance: Appliance
  let browser: Browser
  let watched: Watched
  let page: Page
  beforeAll(async () => {
    ;[appliance, browser] = await Promise.all([startAppliance(), openBrowser()])
    watched = await openPage(browser)
    page = watched.page
    await signIn(page, appliance.adminUrl, people.anna)
  }, 90_000)
  afterAll(async () => {
    await browser?.close()
    await appliance?.cleanup()
  }, 60_000)

  beforeEach(async () => {
    // Loaded anew: nothing of the test before is open any more.
    await page.goto('about:blank')
    await page.goto(appliance.adminUrl)
  })

  const open = async (name: string) => {
    await page
      .getByRole('navigation', { name: 'Main' })
      .getByRole('link', { name: new RegExp(`^${name}`) })
      .click()
  }
  const act = async (person: string, action: string) => {
    await page.getByRole('button', { name: `Actions for ${person}` }).click()
    await page.getByRole('menuitem', { name: action }).click()
  }

  test('a person who is added can sign in with the password that is shown once', async () => {
    await open('People')
    await page.getByRole('button', { name: 'Add a person' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Name', { exact: true }).fill('Benvolio Montague')
    await dialog.getByText('Address: benvolio@office.test').waitFor()
    await dialog.getByRole('button', { name: 'Add this person' }).click()
    await dialog.getByText('Benvolio Montague is added').waitFor()
    const password = (await dialog.locator('dd').nth(1).textContent())?.trim() ?? ''
    await dialog.getByRole('button', { name: 'Done' }).click()
    await page.getByRole('listitem').filter({ hasText: 'benvolio@office.test' }).waitFor()

    await using benvolio = await chat({ username: 'benvolio', password })
    expect(benvolio.bareJid).toBe('benvolio@office.test')
  })

  test('a user name that is taken is refused at its field', async () => {
    await open('People')
    await page.getByRole('button', { name: 'Add a person' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Name', { exact: true }).fill('Romeo')
    await dialog.getByRole('button', { name: 'Add this person' }).click()
    await dialog.locator('[aria-invalid=true]').waitFor()
    expect(await dialog.getByLabel('User name').getAttribute('aria-invalid')).toBe('true')
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
  })

  test('a person is renamed, blocked, let in again and removed, and the history tells it', async () => {
    await open('People')
    await act('mercutio', 'Rename…')
    await page.getByLabel('New name').fill('Mercutio Escalus')
    await page.getByRole('button', { name: 'Rename' }).click()
    await page.getByText('Now called Mercutio Escalus.').waitFor()

    await act('Mercutio Escalus', 'Block…')
    await page.getByRole('button', { name: 'Block Mercutio Escalus' }).click()
    const row = page
      .getByRole('listitem')
      .filter({ hasText: 'mercutio@office.test', has: page.getByRole('button', { name: /^Actions for/ }) })
    await row.getByText('Blocked', { exact: true }).waitFor()
    await expect(chat(people.mercutio)).rejects.toThrow()
    await act('Mercutio Escalus', 'Let in again')
    await row.getByText('Blocked', { exact: true }).waitFor({ state: 'detached' })

    await act('Mercutio Escalus', 'Remove…')
    await page.getByRole('heading', { name: 'What goes' }).waitFor()
    await page.getByRole('button', { name: 'Remove Mercutio Escalus' }).click()
    await row.waitFor({ state: 'detached' })

    await open('History')
    for (const trace of ['Mercutio Escalus', 'mercutio@office.test']) {
      await page.getByLabel('Find in the history').fill(trace)
      await page.getByText(trace).first().waitFor()
    }
  })

  test('the last administrator cannot lock everybody out', async () => {
    await open('People')
    await page.getByRole('button', { name: 'Actions for anna' }).click()
    expect(await page.getByRole('menuitem').allTextContents()).not.toContainEqual(expect.stringContaining('Remove'))
    await page.keyboard.press('Escape')
    expect(await page.locator(':focus').getAttribute('aria-label')).toBe('Actions for anna')
  })

  test('a connected device shows up by itself and can be disconnected', async () => {
    await open('Devices')
    await page.getByText('No device is connected.').first().waitFor()
    await using juliet = await chat(people.juliet)
    const row = page.getByRole('listitem').filter({ hasText: 'juliet' })
    await row.waitFor()
    await row.getByText('Details').click()
    await row.getByText(juliet.jid).waitFor()
    await row.getByRole('button', { name: /^Disconnect/ }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Disconnect' }).click()
    await page.getByText('The device of juliet is disconnected.').waitFor()
    await row.waitFor({ state: 'detached' })
  })

  test('a setting is found, changed at once, and taken back', async () => {
    await open('Settings')
    await page.getByLabel('Find a setting').fill('anybody make an account')
    const open_ = page.getByRole('switch', { name: 'Let anybody make an account' })
    await open_.click()
    await page.getByText('Saved.').first().waitFor()
    expect(await open_.isChecked()).toBe(true)
    await page.getByRole('button', { name: 'Undo' }).click()
    await page.getByText('Taken back.').waitFor()
    expect(await open_.isChecked()).toBe(false)
    await page.getByLabel('Find a setting').fill('')
    await page.getByRole('link', { name: 'Changes' }).click()
    await page.getByText('from Off to On').waitFor()
  })

  test('a value that is refused stays in its field with the reason under it', async () => {
    await page.goto(`${appliance.adminUrl}#/settings/sign-in`)
    const field = page.getByLabel('Devices per person at the same time')
    await field.fill('100000')
    await field.press('Enter')
    await page.locator('[aria-invalid=true]').waitFor()
    expect(await field.inputValue()).toBe('100000')
    await field.fill('20')
    await field.press('Enter')
    await page.locator('[aria-invalid=true]').waitFor({ state: 'detached' })
  })

  test('a token for a script works until it is revoked', async () => {
    await page.goto(`${appliance.adminUrl}#/settings/scripts`)
    await page.getByRole('button', { name: 'Make a token' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('What is it for?').fill('Nightly export')
    await dialog.getByRole('button', { name: 'Make a token' }).click()
    const secret = (await dialog.locator('.secret').textContent())?.trim() ?? ''
    await dialog.getByRole('button', { name: 'Done' }).click()
    const ask = () => fetch(`${appliance.adminUrl}api/people`, { headers: { authorization: `Bearer ${secret}` } })
    expect((await ask()).status).toBe(200)
    await page.getByRole('button', { name: 'Revoke Nightly export' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click()
    await page.getByText('No script has a token.').waitFor()
    expect((await ask()).status).toBe(401)
  })

  test('the log is followed live, filtered and paused', async () => {
    await open('Log')
    const lines = page.getByRole('log')
    await lines.locator('details').first().waitFor()
    await page.getByLabel('Show').selectOption('debug')
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.getByText('Paused').waitFor()
    await page.getByRole('button', { name: 'Go on' }).click()
    await page.getByText('Live', { exact: true }).waitFor()
    await page.getByLabel('Find in the log').fill('no line has these words')
    await page.getByText('No lines fit that.').waitFor()
    await page.getByLabel('Find in the log').fill('romeo')
    await using romeo = await chat(people.romeo)
    await lines.locator('details').filter({ hasText: romeo.jid }).first().waitFor()
  })

  test('health says what each check found and checks again when asked', async () => {
    await open('Health')
    await page.getByRole('button', { name: 'Check everything again' }).click()
    await page.getByText('Everything was checked again.').waitFor()
    await page.getByText('Why it matters').first().click()
  })

  test('the office’s certificate can be saved by anybody', async () => {
    await open('Connect an app')
    await page.getByText('name@office.test').waitFor()
    const [saved] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Save the certificate' }).click(),
    ])
    expect(saved.suggestedFilename()).toMatch(/\.crt$/)
  })

  test('each page puts the focus on its heading and its name in the title', async () => {
    for (const name of ['People', 'Devices', 'History', 'Log', 'Settings', 'Home']) {
      await open(name)
      await page.locator('h1:focus').waitFor()
      expect(await page.title()).toBe(`${name} · ACME`)
    }
  })

  test('the pages run under their content security policy without a fault', () => {
    expect(watched.faults).toEqual([])
  })

  test('after signing out nothing is shown', async () => {
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Sign in to ACME' }).waitFor()
    await page.goto(`${appliance.adminUrl}#/people`)
    await page.getByRole('heading', { name: 'Sign in to ACME' }).waitFor()
  })

  async function chat(who: { username: string; password: string }): Promise<ChatClient> {
    return await logIn(appliance, { library: '@xmpp/client', transport: 'STARTTLS' }, who)
  }
})
