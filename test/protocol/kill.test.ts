/** The scripts in which something breaks, on two nodes of which the second is killed at the marked line. */
import { describe } from 'vitest'

process.env.STAGE = 'kill'
// Before the scripts: the stage that they share is taken down after the last of them.
await import('../support/script.ts')

for (const script of ['archive', 'carbons', 'messages', 'offline', 'presence']) {
  describe(script, async () => {
    await import(new URL(`./${script}.test.ts`, import.meta.url).href)
  })
}
