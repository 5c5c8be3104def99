/** A real Chromium on the admin pages, that notices whatever a person at the screen could not see: errors, broken rules of the page, barriers. */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { expect } from 'vitest'

const pages = fileURLToPath(new URL('../../ui/dist/index.html', import.meta.url))
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const patienceMs = 15_000

/** The browser's program: named in LANTHORN_CHROMIUM, the system's, or the one that Playwright fetched; undefined when there is none. */
export function browserProgram(): string | undefined {
  const candidates = [process.env.LANTHORN_CHROMIUM, '/usr/bin/chromium', chromium.executablePath()]
  return candidates.find(candidate => candidate && existsSync(candidate))
}

/** Starts the browser. @throws Error with a sentence when the pages were never built. */
export async function openBrowser(): Promise<Browser> {
  if (!existsSync(pages)) throw new Error('The admin pages are not built: run "npm run build" first.')
  const executablePath = browserProgram()
  // Chromium refuses to isolate itself when root starts it, as containers do.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  return await chromium.launch({ args, ...(executablePath ? { executablePath } : {}) })
}

/** One page of its own (own cookies) and what went wrong in it. */
export interface Watched {
  readonly page: Page
  /** Errors of scripts, and rules of the content security policy that were broken. */
  readonly faults: string[]
}

/** Opens a page and watches it. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<Watched> {
  const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 800 }, ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(patienceMs)
  const faults: string[] = []
  page.on('pageerror', error => faults.push(error.message))
  page.on('console', message => {
    // A refused request (401, 422, …) is a line of the console too; the page shows those itself.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) faults.push(message.text())
  })
  return { page, faults }
}

/** Types user name and password into the sign-in page and waits for Home. */
export async function signIn(page: Page, url: string, who: { username: string; password: string }): Promise<void> {
  await page.goto(url)
  await page.getByLabel('User name').fill(who.username)
  await page.getByLabel('Password', { exact: true }).fill(who.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('navigation', { name: 'Main' }).waitFor()
}

/** Fails when axe finds a barrier on the page as it is now, or when it is wider than its window. */
export async function expectNoBarrier(page: Page, where: string): Promise<void> {
  // Colours in the middle of a transition are neither the old nor the new ones.
  await page.evaluate(
    'Promise.all(document.getAnimations().map(one => one.finished.catch(() => undefined))).then(() => 0)',
  )
  await page.evaluate(axe)
  const barriers = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[] }> }
    }
    const { violations } = await axe.run()
    return violations.flatMap(({ id, nodes }) => nodes.map(node => `${id}: ${node.html} ${node.failureSummary ?? ''}`))
  })
  expect(barriers, where).toEqual([])
  await expectToFit(page, where)
}

/** Fails when the page is wider than its window and would have to be scrolled sideways. */
export async function expectToFit(page: Page, where: string): Promise<void> {
  const tooWide = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')
  expect(tooWide, `${where}: wider than its window by`).toBeLessThanOrEqual(0)
}
