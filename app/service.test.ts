import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { startCommand } from './service.ts'

const installers = fileURLToPath(new URL('../installers', import.meta.url))

test('the shell starts the services by the names that the installers give them', async () => {
  expect(startCommand('systemd')).toEqual(['systemctl', ['start', 'lanthorn.service']])
  expect(existsSync(path.join(installers, 'linux', 'lanthorn.service'))).toBe(true)

  const label = startCommand('launchd')[1]
    .join(' ')
    .match(/system\/([\w.]+)/)?.[1]
  const plist = await readFile(path.join(installers, 'macos', 'resources', `${label}.plist`), 'utf8')
  expect(plist).toContain(`<string>${label}</string>`)

  const name = startCommand('windows')[1]
    .join(' ')
    .match(/'start','(\w+)'/)?.[1]
  const header = await readFile(path.join(installers, 'windows', 'service', 'service.h'), 'utf8')
  expect(header).toContain(`#define SERVICE_NAME L"${name}"`)
})
