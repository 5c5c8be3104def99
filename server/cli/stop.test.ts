import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Appliance, startAppliance } from '../../test/support/appliance.ts'

const main = fileURLToPath(new URL('../main.ts', import.meta.url))
let appliance: Appliance
beforeAll(async () => {
  appliance = await startAppliance()
})
afterAll(() => appliance.cleanup())

test('stop ends the server in order, and comes back when its process has ended', async () => {
  const { pid, dataDir } = appliance
  const lanthorn = async (...args: string[]) => {
    const child = spawn(process.execPath, [main, ...args, '--data', dataDir], {
      env: { ...process.env, NODE_OPTIONS: '' },
    })
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    return { out, err, code }
  }
  expect(await lanthorn('stop')).toEqual({ out: 'Chat on this PC is stopped.\n', err: '', code: 0 })
  expect(() => process.kill(pid, 0)).toThrow()
  expect(await appliance.stop()).toBe(0)
  expect(await lanthorn('stop')).toMatchObject({ err: expect.stringMatching(/^No server runs on /), code: 2 })
})
