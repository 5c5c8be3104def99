// Draws the icons of the desktop app into this folder, with the browser of the tests: `npm run icons`. What it draws is committed.
import { readFile, writeFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { openBrowser, openPage } from '../../test/e2e/browser.ts'
import type { Icon } from '../tray-state.ts'
import { type Drawn, icoOf } from './ico.ts'
import { svgOf } from './shapes.ts'

const icons: readonly Icon[] = ['ok', 'warn', 'bad', 'off']
const file = (name: string) => new URL(name, import.meta.url)

const browser = await openBrowser()
try {
  const { page } = await openPage(browser)
  for (const icon of icons) {
    for (const isAwaited of [false, true]) {
      const name = isAwaited ? `${icon}-waiting` : icon
      const colour = svgOf(icon, { isAwaited, isTemplate: false })
      await png(page, colour, `${name}.png`, 22)
      await png(page, colour, `${name}@2x.png`, 44)
      await ico(page, colour, `${name}.ico`, [16, 20, 24, 32, 48])
      const template = svgOf(icon, { isAwaited, isTemplate: true })
      await png(page, template, `${name}Template.png`, 16)
      await png(page, template, `${name}Template@2x.png`, 32)
    }
  }
  const lantern = await readFile(file('../../ui/src/look/lantern.svg'), 'utf8')
  await png(page, lantern, 'lanthorn.png', 512)
  await ico(page, lantern, 'lanthorn.ico', [16, 24, 32, 48, 64, 256])
} finally {
  await browser.close()
}

async function png(page: Page, svg: string, name: string, size: number): Promise<void> {
  await writeFile(file(name), (await draw(page, svg, size)).png)
}

async function ico(page: Page, svg: string, name: string, sizes: readonly number[]): Promise<void> {
  const drawn: Drawn[] = []
  for (const size of sizes) drawn.push(await draw(page, svg, size))
  await writeFile(file(name), icoOf(drawn))
}

async function draw(page: Page, svg: string, size: number): Promise<Drawn> {
  const source = `data:image/svg+xml,${encodeURIComponent(svg)}`
  const { rgba, url } = await page.evaluate<{ rgba: number[]; url: string }>(`(async () => {
    const image = new Image(${size}, ${size})
    image.src = ${JSON.stringify(source)}
    await image.decode()
    const canvas = document.createElement('canvas')
    canvas.width = canvas.height = ${size}
    const context = canvas.getContext('2d')
    context.drawImage(image, 0, 0, ${size}, ${size})
    const { data } = context.getImageData(0, 0, ${size}, ${size})
    return { rgba: Array.from(data), url: canvas.toDataURL('image/png') }
  })()`)
  return { size, rgba: Buffer.from(rgba), png: Buffer.from(url.split(',')[1] ?? '', 'base64') }
}
