import { setTimeout as delay } from 'node:timers/promises'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { addressOf, type Connection, placeOf } from '../../server/db/address.ts'
import { printDatabaseUrl, spellingsOf } from '../../server/db/url.ts'
import { type Appliance, people, startAppliance } from '../support/appliance.ts'
import { type ChatClient, logIn } from '../support/clients.ts'
import { freshDatabase } from '../support/database.ts'
import { browserProgram, expectNoBarrier, openBrowser, openPage, signIn, type Watched } from './browser.ts'
import { startFresh } from './fresh.ts'

const isLeftOut = browserProgram() === undefined
const workMs = 60_000

describe.skipIf(isLeftOut)('the data of the office', () => {
  let appliance: Appliance
  let browser: Browser
  let watched: Watched
  let page: Page
  let outside: Connection
  let url: string
  beforeAll(async () => {
    const [started, opened, database] = await Promise.all([startAppliance(), openBrowser(), freshDatabase()])
    appliance = started
    browser = opened
    outside = database.connection
    url = printDatabaseUrl(addressOf(outside))
    watched = await openPage(browser, { reducedMotion: 'reduce' })
    page = watched.page
    await signIn(page, appliance.adminUrl, people.anna)
  }, 120_000)
  afterAll(async () => {
    await browser?.close()
    await appliance?.cleanup()
  }, 60_000)

  const open = async (path: string) => {
    // Loaded anew: nothing of the test before is open any more.
    await page.goto('about:blank')
    await page.goto(`${appliance.adminUrl}#/${path}`)
    await page.locator('main .card').first().waitFor()
  }
  const choose = (name: RegExp) => page.getByRole('radio', { name }).check()
  const result = () => page.getByRole('region', { name: 'Result of the test' })
  const give = async (address: string) => {
    await page.getByLabel('Address of the database').fill(address)
    await page.getByRole('button', { name: 'Test the connection' }).click()
  }

  describe('an address', () => {
    beforeEach(async () => {
      await open('database')
      await choose(/^Our PostgreSQL servers/)
    })

    test('is read in all four spellings and tested server by server', async () => {
      for (const spelling of Object.values(spellingsOf(addressOf(outside)))) {
        await give(spelling)
        await result().getByText('main database', { exact: true }).waitFor()
        await result().getByText('may make tables').waitFor()
      }
      await expectNoBarrier(page, 'a tested address')
      await page.getByText('Fill in the parts').click()
      expect(await page.getByLabel('Server 1', { exact: true }).inputValue()).toBe(outside.host)
      expect(await page.getByLabel('Database', { exact: true }).inputValue()).toBe(outside.database)
      await result().getByText('The same address for other programs').click()
      expect(await result().getByText('••••').count()).toBe(4)
      await result().getByRole('button', { name: 'Show the password' }).click()
      expect(await result().getByText('••••').count()).toBe(0)
    })

    test('is the same as its parts', async () => {
      await page.getByLabel('Address of the database').fill('postgresql://lanthorn:a%20word@db1,db2:5433/office')
      await page.getByText('Fill in the parts').click()
      expect(await page.getByLabel('Server 2', { exact: true }).inputValue()).toBe('db2')
      expect(await page.getByLabel('Password', { exact: true }).inputValue()).toBe('a word')
      await page.getByRole('button', { name: 'Add a server' }).click()
      await page.keyboard.type('db3')
      await page.getByRole('button', { name: 'Take server 1 away' }).click()
      await page.getByLabel('Encryption').selectOption({ label: 'Never encrypted' })
      await expectNoBarrier(page, 'the parts of an address')
      await page.getByText('Paste an address').click()
      expect(await page.getByLabel('Address of the database').inputValue()).toBe(
        'postgresql://lanthorn:a%20word@db2:5433,db3/office?sslmode=disable',
      )
    })

    test('with a mistake is refused under its field, with the caret at the mistake', async () => {
      const wrong = url.replace('@', '@@')
      await give(wrong)
      const field = page.getByLabel('Address of the database')
      await page.locator('[aria-invalid=true]').waitFor()
      const caret = await field.evaluate(area => (area as unknown as { selectionStart: number }).selectionStart)
      expect(caret).toBeGreaterThan(0)
      expect(caret).toBeLessThan(wrong.length)
      await expectNoBarrier(page, 'a refused address')
    })

    test('of nobody, or with a wrong password, gets a sentence and nothing to move to', async () => {
      const others = [
        { ...outside, password: 'not-this-one' },
        { ...outside, host: '127.0.0.1', port: 1 },
      ]
      for (const other of others) {
        await give(printDatabaseUrl(addressOf(other)))
        await result().getByText('Does not work').first().waitFor({ state: 'attached' })
        expect(await page.getByRole('button', { name: 'Move the data…' }).count()).toBe(0)
      }
    })
  })

  test('ready-made configuration can be read and saved', async () => {
    await open('database')
    await choose(/^Our PostgreSQL servers/)
    await page.getByText('Ready-made configuration for your servers').click()
    const [saved] = await Promise.all([
      page.waitForEvent('download'),
      page
        .getByRole('button', { name: /^Save / })
        .first()
        .click(),
    ])
    expect(saved.suggestedFilename()).not.toBe('')
    await expectNoBarrier(page, 'ready-made configuration')
  })

  test('everything moves to another database and back, while the page watches and people chat', async () => {
    const over = { library: '@xmpp/client', transport: 'STARTTLS' } as const
    await using romeo = await logIn(appliance, over, people.romeo)
    await using juliet = await logIn(appliance, over, people.juliet)
    const isMoved = new AbortController()
    const chat = chatUntil(isMoved.signal, romeo, juliet)
    chat.catch(() => undefined) // told where it is awaited
    await open('database')
    await choose(/^Our PostgreSQL servers/)
    await give(url)
    await page.getByRole('button', { name: 'Move the data…' }).click()
    const dialog = page.getByRole('dialog')
    await expectNoBarrier(page, 'the question before a move')
    await dialog.getByRole('button', { name: 'Move the data' }).click()
    await page.getByRole('heading', { name: `All data is at ${placeOf(outside)}` }).waitFor({ timeout: workMs })
    await page.getByText('Kept old databases').waitFor()
    await expectNoBarrier(page, 'moved to outside servers')
    await page.getByRole('radio', { name: /^Our PostgreSQL servers/, checked: true }).waitFor()

    await choose(/^Built in/)
    await page.getByRole('button', { name: 'Move the data…' }).click()
    await dialog.getByRole('button', { name: 'Move the data' }).click()
    await page.getByRole('heading', { name: 'All data is at the built-in database now.' }).waitFor({ timeout: workMs })
    await page.getByRole('radio', { name: /^Built in/, checked: true }).waitFor()
    isMoved.abort()
    expect(await chat).toBeGreaterThan(10)

    const old = page.getByRole('region', { name: 'Kept old databases' }).getByRole('listitem')
    const kept = await old.count()
    await old.getByRole('button').first().click()
    await dialog.getByRole('button', { name: 'Remove for good' }).click()
    await dialog.getByText('This is not office.test yet.').waitFor()
    await expectNoBarrier(page, 'removing an old database')
    await dialog.getByLabel('Type office.test to confirm').fill('office.test')
    await dialog.getByRole('button', { name: 'Remove for good' }).click()
    await page.getByText('The old database is removed.').waitFor()
    await expect.poll(() => old.count(), { timeout: 10_000 }).toBe(kept - 1)
  }, 240_000)

  test('a backup is made and proven, and the office goes back to it', async () => {
    await open('backup')
    await page.getByRole('button', { name: 'Back up now' }).click()
    await page.getByRole('heading', { name: 'The backup is made' }).waitFor({ timeout: workMs })
    const backup = page.getByRole('region', { name: 'Backups' }).getByRole('listitem').first()
    await backup.getByText(/proven/i).waitFor()
    await expectNoBarrier(page, 'a backup')

    await open('people?add')
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Name', { exact: true }).fill('Paris Late')
    await dialog.getByRole('button', { name: 'Add this person' }).click()
    await dialog.getByText('Paris Late is added').waitFor()

    await open('backup')
    await page
      .getByRole('button', { name: /^Actions for the backup/ })
      .first()
      .click()
    await page.getByRole('menuitem', { name: 'Go back to it…' }).click()
    await dialog.getByLabel('Type office.test to confirm').fill('office.test')
    await expectNoBarrier(page, 'the question before a restore')
    await dialog.getByRole('button', { name: 'Go back' }).click()
    await page.getByRole('heading', { name: 'The office is put back' }).waitFor({ timeout: workMs })
    await expectNoBarrier(page, 'after a restore')
    await open('people')
    await page.getByText('romeo@office.test').waitFor()
    expect(await page.getByText('Paris Late').count()).toBe(0)
  }, 240_000)

  test('the pages run under their content security policy without a fault', () => {
    expect(watched.faults).toEqual([])
  })
})

test.skipIf(isLeftOut)(
  'an office on its own servers goes back to a backup in an empty database that it is told',
  async () => {
    const [used, empty] = await Promise.all([freshDatabase(), freshDatabase()])
    const urlOf = ({ connection }: typeof used) => printDatabaseUrl(addressOf(connection))
    const browser = await openBrowser()
    try {
      await using appliance = await startAppliance({ config: { database: { url: urlOf(used) } } })
      const { page, faults } = await openPage(browser, { reducedMotion: 'reduce' })
      await signIn(page, appliance.adminUrl, people.anna)
      await page.goto(`${appliance.adminUrl}#/backup`)
      await page.getByRole('button', { name: 'Back up now' }).click()
      await page.getByRole('heading', { name: 'The backup is made' }).waitFor({ timeout: workMs })
      await page.getByRole('button', { name: /^Actions for the backup/ }).click()
      await page.getByRole('menuitem', { name: 'Go back to it…' }).click()
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel('An empty database to restore into').waitFor()
      await dialog.getByLabel('Type office.test to confirm').fill('office.test')
      await dialog.getByRole('button', { name: 'Go back' }).click()
      await dialog.getByText('Give the address of an empty database.').waitFor()
      await dialog.getByLabel('An empty database to restore into').fill(urlOf(empty))
      await expectNoBarrier(page, 'an empty database to restore into')
      await dialog.getByRole('button', { name: 'Go back' }).click()
      await page.getByRole('heading', { name: 'The office is put back' }).waitFor({ timeout: workMs })
      await page.goto(`${appliance.adminUrl}#/database`)
      await page.getByRole('radio', { name: /^Our PostgreSQL servers/, checked: true }).waitFor()
      expect(faults).toEqual([])
    } finally {
      await browser.close()
    }
  },
  180_000,
)

test.skipIf(isLeftOut)(
  'the set-up takes own servers, filled in part by part',
  async () => {
    const browser = await openBrowser()
    const { connection } = await freshDatabase()
    try {
      await using fresh = await startFresh()
      const { page, faults } = await openPage(browser, { reducedMotion: 'reduce', colorScheme: 'dark' })
      await page.goto(fresh.adminUrl)
      await page.getByText('Details: join code, our own PostgreSQL servers').click()
      await page.getByLabel('Keep the data on our own PostgreSQL servers').check()
      await page.getByText('Fill in the parts').click()
      await page.getByLabel('Server 1', { exact: true }).fill(connection.host)
      await page.getByLabel('Port of server 1').fill(String(connection.port))
      await page.getByLabel('User name').fill(connection.user)
      await page.getByLabel('Password', { exact: true }).fill(connection.password)
      await page.getByLabel('Database', { exact: true }).fill(connection.database)
      await page.getByRole('button', { name: 'Test the connection' }).click()
      await page.getByText('main database', { exact: true }).waitFor()
      await expectNoBarrier(page, 'own servers in the set-up')
      await page.getByRole('button', { name: 'Start a new office' }).click()
      await page.getByRole('heading', { name: 'What is your office called?' }).waitFor()
      expect(faults).toEqual([])
    } finally {
      await browser.close()
    }
  },
  120_000,
)

/** One says something every twentieth of a second, as soon as the other has read the word before. @returns how many words came */
async function chatUntil(end: AbortSignal, from: ChatClient, to: ChatClient): Promise<number> {
  for (let said = 0; said < 10_000; said++) {
    if (end.aborted) return said
    const word = `word ${said}`
    await from.message(to.jid, word)
    await to.next(stanza => stanza.name === 'message' && stanza.getChildText('body') === word)
    await delay(50)
  }
  throw new Error('The move took too long.')
}
