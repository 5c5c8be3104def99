/** All scripts of this folder a second time, on two nodes over which the devices of each scene are spread. */
import { readdir } from 'node:fs/promises'
import { describe } from 'vitest'

process.env.STAGE = 'two-nodes'
// Before the scripts: the stage that they share is taken down after the last of them.
await import('../support/script.ts')

const here = new URL('./', import.meta.url)
const others = new Set(['two-nodes.test.ts', 'kill.test.ts'])
const scripts = (await readdir(here)).filter(file => file.endsWith('.test.ts') && !others.has(file))

for (const file of scripts.sort()) {
  describe(file.replace('.test.ts', ''), async () => {
    await import(new URL(file, here).href)
  })
}
