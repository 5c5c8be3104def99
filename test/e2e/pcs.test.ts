import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type AdminBench, anna, openAdmin } from '../support/admin.ts'
import { aCard, allLinked, aNode, aRequest } from '../support/node-desks.ts'
import { browserProgram, expectNoBarrier, openBrowser, openPage, signIn, type Watched } from './browser.ts'

const isLeftOut = browserProgram() === undefined
const uiFolder = new URL('../../ui/dist', import.meta.url).pathname
const names = ['front-desk', 'back-office', 'workshop', 'library', 'reception', 'lab', 'store', 'gate', 'attic']
const pcs = (count: number) =>
  allLinked(names.slice(0, count).map((name, at) => aNode(at + 1, name, { people: at + 1 })))

/** Requests of a browser come over plain HTTP from this PC. */
async function listening(bench: AdminBench): Promise<string> {
  await bench.admin.listen()
  Object.assign(bench.origin, { isSecure: false, port: bench.admin.ports.adminPlain })
  return bench.admin.url
}

describe.skipIf(isLeftOut)('the PCs in the browser', () => {
  let bench: AdminBench
  let browser: Browser
  let watched: Watched
  let page: Page
  let url: string
  beforeAll(async () => {
    ;[bench, browser] = await Promise.all([openAdmin({ uiFolder }), openBrowser()])
    url = await listening(bench)
    watched = await openPage(browser, { reducedMotion: 'reduce' })
    page = watched.page
    await signIn(page, url, anna)
  }, 60_000)
  afterAll(async () => {
    await browser?.close()
    await bench?.[Symbol.asyncDispose]()
    expect(watched.faults).toEqual([])
  })
  beforeEach(() => {
    const { nodes } = bench.desks
    nodes.nodes = pcs(3)
    nodes.requests = []
    nodes.codes = []
    nodes.enabled = true
  })
  const open = async (path: string) => {
    await page.goto('about:blank')
    await page.goto(`${url}#/${path}`)
    await page.locator('main .card').first().waitFor()
  }
  const map = () => page.getByRole('region', { name: 'Map of the PCs' })

  test('one to nine stand on the map, in sentences too, without a barrier', async () => {
    for (const count of [1, 2, 9]) {
      bench.desks.nodes.nodes = pcs(count)
      await open('')
      await expect.poll(() => map().getByRole('link').count()).toBe(count)
      const lines = page.getByRole('list', { name: 'Lines between the PCs' }).getByRole('listitem')
      expect(await lines.count()).toBe((count * (count - 1)) / 2)
      await expectNoBarrier(page, `${count} PCs`)
    }
  })

  test('what is off, cut or slow shows by itself, and is said', async () => {
    await open('')
    await map().getByText('you are here').waitFor()
    const { nodes } = bench.desks
    nodes.link('front-desk', 'workshop', { state: 'cut', trouble: 'No answer at 192.168.1.22:5275.' })
    nodes.link('front-desk', 'back-office', { state: 'slow', roundTripMs: 18 })
    await page.getByText('front-desk and workshop cannot reach each other.').first().waitFor()
    await page.getByText('The line between front-desk and back-office is slow, 18 ms.').waitFor({ state: 'attached' })
    nodes.put('workshop', { state: 'off', sentence: 'workshop is off since 10:04.', people: 0 })
    await page.getByText('workshop is off.').waitFor()
    await page.getByRole('heading', { name: /workshop is off since 10:04/ }).waitFor()
    await expectNoBarrier(page, 'a PC that is off')
  })

  test('a PC is taken out, put back, restarted and removed by keyboard alone', async () => {
    await open('pcs')
    const workshop = map().getByRole('link', { name: /workshop/ })
    await workshop.focus()
    await page.keyboard.press('Enter')
    const panel = page.getByRole('region', { name: 'workshop' })
    await panel.getByText('192.168.1.22').waitFor()
    expect(await page.locator(':focus').textContent()).toBe('workshop')
    await expectNoBarrier(page, 'the panel of a PC')
    const press = async (button: string) => {
      await page.getByRole('button', { name: button }).focus()
      await page.keyboard.press('Enter')
    }
    await press('Take out for maintenance')
    await page.getByText('workshop is out; it can be switched off.').waitFor()
    await press('Back to work')
    await page.getByText('workshop works again.').waitFor()
    await press('Restart chat')
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('button', { name: 'Restart chat' }).press('Enter')
    await page.getByText('Chat on workshop is restarted.').waitFor()
    await press('Remove from the office…')
    await dialog.getByText('Was it lost or stolen?').waitFor()
    await page.keyboard.type('not this one')
    await page.keyboard.press('Enter')
    await dialog.getByText('This is not workshop yet.').waitFor()
    await dialog.getByLabel('Type workshop to confirm').fill('Workshop')
    await page.keyboard.press('Enter')
    await page.getByText('workshop does not belong to the office any more.').first().waitFor()
    await expect.poll(() => map().getByRole('link').count()).toBe(2)
  })

  test('a PC that wants to join is above every page with its code, and is let in or refused', async () => {
    const { nodes } = bench.desks
    await open('people')
    nodes.requests = [
      aRequest(Date.now(), { name: 'library' }),
      aRequest(Date.now(), { id: 'two', name: 'ws-4', code: '1193 · green heron' }),
    ]
    nodes.changed()
    await page.getByText('4827 · blue otter').waitFor()
    await page.getByRole('link', { name: /^PCs/ }).getByText('2 PCs want to join').waitFor({ state: 'attached' })
    await expectNoBarrier(page, 'two requests')
    await page.getByRole('button', { name: 'Refuse ws-4' }).click()
    await page.getByText('ws-4 was refused.').waitFor()
    await page.getByRole('button', { name: 'Accept library' }).click()
    await page.getByText('library is a PC of the office now.').first().waitFor()
    await page.getByText('4827 · blue otter').waitFor({ state: 'detached' })
    expect(nodes.nodes.map(node => node.name)).toContain('library')
  })

  test('a join code is shown once, with a picture and a clock, and is taken back', async () => {
    await open('')
    bench.desks.nodes.nodes = pcs(1)
    bench.desks.nodes.changed()
    await page.getByRole('link', { name: 'Add a PC' }).click()
    await page.getByRole('button', { name: 'Make a join code' }).click()
    await page.getByText('ACME-7Q4K-M2PX').waitFor()
    await page.getByRole('img', { name: /join code as a picture/ }).waitFor()
    await page.getByText(/Valid for 1[45]:\d\d/).waitFor()
    await expectNoBarrier(page, 'a join code')
    await page.getByRole('button', { name: 'Take it back' }).click()
    await page.getByText('ACME-7Q4K-M2PX').waitFor({ state: 'detached' })
    expect(bench.desks.nodes.codes).toEqual([])
  })

  test('an office of one PC can be closed to others, or become part of another office', async () => {
    bench.desks.nodes.nodes = pcs(1)
    const { merge } = bench.desks
    merge.offices = [aCard({ office: 'Other', officeId: 'other', pcs: ['otherpc'] })]
    await open('pcs')
    await page.getByText('Details: names, ports').click()
    await page.getByRole('switch').click()
    await page.getByText('No other PC can join any more.').waitFor()
    await page.getByRole('button', { name: 'Join another office…' }).click()
    const dialog = page.getByRole('dialog')
    expect(await dialog.getByRole('radio', { name: 'Other', exact: true }).isChecked()).toBe(true)
    await dialog.getByRole('radio', { name: /Leave them behind/ }).check()
    await expectNoBarrier(page, 'leaving the office')
    await dialog.getByLabel('Type ACME to confirm').fill('acme')
    await dialog.getByRole('button', { name: 'Leave and join' }).click()
    merge.goOn({ state: 'compare', code: '5512 · red fox', pc: 'otherpc', office: 'Other', steps: [] })
    await dialog.getByText('5512 · red fox').waitFor()
    expect(merge.asked).toEqual([{ address: '192.168.1.20:5275', people: 'leave' }])
    await dialog.getByRole('button', { name: 'Give up' }).click()
    await dialog.getByRole('button', { name: 'Leave and join' }).waitFor()
  })
})

describe.skipIf(isLeftOut)('the wizard on a network with an office', () => {
  test('shows its card, the code, the ticks, and why it failed', async () => {
    await using bench = await openAdmin({ stage: 'fresh', uiFolder })
    const url = await listening(bench)
    const browser = await openBrowser()
    try {
      const { page, faults } = await openPage(browser, { colorScheme: 'dark', reducedMotion: 'reduce' })
      const { join } = bench.desks
      await page.goto(url)
      await page.getByRole('button', { name: 'Start a new office' }).waitFor()
      join.offices = [
        aCard(),
        aCard({ officeId: 'old', office: 'Older', trouble: 'It runs version 0.9. Update it first.' }),
      ]
      await page.getByRole('button', { name: 'Join ACME' }).waitFor()
      expect(await page.getByRole('radio', { name: 'Older' }).isDisabled()).toBe(true)
      await expectNoBarrier(page, 'cards of offices')
      await page.getByText('Details: join code').click()
      await page.getByLabel('Join code').fill('nonsense')
      await page.getByRole('button', { name: 'Join with this code' }).click()
      await page.getByText('This is not a join code.').waitFor()
      await page.getByLabel('Join code').fill('')
      await page.getByRole('button', { name: 'Join ACME' }).click()
      const asked = { office: 'ACME', pc: 'front-desk' }
      join.goOn({ ...asked, state: 'compare', code: '4827 · blue otter', fingerprint: 'AB:CD', steps: [] })
      await page.getByText('Does front-desk show the same?').waitFor()
      await expectNoBarrier(page, 'the code')
      join.goOn({
        ...asked,
        state: 'failed',
        steps: [],
        problem: { code: 'refused', sentence: 'Somebody pressed Refuse.' },
      })
      await page.getByText('Somebody pressed Refuse.').waitFor()
      await page.getByRole('button', { name: 'Try again' }).click()
      await page.getByRole('heading', { name: 'Asking…' }).waitFor()
      join.goOn({
        ...asked,
        state: 'joining',
        steps: [
          { id: 'accepted', state: 'done' },
          { id: 'database', state: 'doing', detail: '62 %' },
        ],
      })
      await page.getByText('62 %').waitFor()
      join.goOn({ ...asked, state: 'joined', steps: [], sentence: 'Two PCs carry the office.' })
      await page.getByText('Two PCs carry the office.').waitFor()
      await expectNoBarrier(page, 'joined')
      expect(join.asked).toEqual([{ address: '192.168.1.20:5275' }, { address: '192.168.1.20:5275' }])
      expect(faults).toEqual([])
    } finally {
      await browser.close()
    }
  }, 60_000)
})
