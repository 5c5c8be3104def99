/** What of the macOS package can be looked at elsewhere: its files are well-formed and fit each other. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Element } from 'ltx'
import { parse } from 'ltx'
import { describe, expect, test } from 'vitest'
import { onPath } from '../../installers/apt.mjs'
import { root, run } from '../../installers/set-up.mjs'

const folder = path.join(root, 'installers', 'macos')
const scripts = ['scripts/preinstall', 'scripts/postinstall', 'resources/uninstall.sh']
const checkMs = 30_000

/** A property list of the kinds that are used here. */
function contentOf(element: Element): unknown {
  const children = element.getChildElements()
  switch (element.name) {
    case 'dict':
      return Object.fromEntries(
        children.flatMap((key, at) => {
          const value = children[at + 1]
          return key.name === 'key' && value ? [[key.text(), contentOf(value)]] : []
        }),
      )
    case 'array':
      return children.map(contentOf)
    case 'true':
    case 'false':
      return element.name === 'true'
    case 'integer':
      return Number(element.text())
    default:
      return element.text()
  }
}

async function propertyList(name: string): Promise<Record<string, unknown>> {
  const text = await readFile(path.join(folder, name), 'utf8')
  const [list] = parse(text.slice(text.indexOf('<plist'))).getChildElements()
  return contentOf(list as Element) as Record<string, unknown>
}

describe('the macOS package', () => {
  test('its service runs the server of the app under its own account, and again after a fault only', async () => {
    const service = await propertyList('resources/com.lanthorn.server.plist')
    const resources = '/Applications/Lanthorn.app/Contents/Resources'
    const ours = '/Library/Application Support/Lanthorn'
    expect(service).toMatchObject({
      Label: 'com.lanthorn.server',
      UserName: '_lanthorn',
      ProgramArguments: [
        `${resources}/runtime/node/bin/node`,
        `${resources}/runtime/server/main.js`,
        ...['run', '--no-open', '--data', `${ours}/data`],
      ],
      EnvironmentVariables: {
        LANTHORN_RUN_FOLDER: `${ours}/run`,
        LANTHORN_AUTOSETUP: `${ours}/autosetup.json`,
      },
      KeepAlive: { SuccessfulExit: false },
      Umask: 0o027,
      ExitTimeOut: 45,
    })
    expect(await propertyList('entitlements.plist')).toMatchObject({ 'com.apple.security.cs.allow-jit': true })
  })

  test.each(scripts)('%s is a script that a plain sh understands', async name => {
    expect(await run('sh', ['-n', path.join(folder, name)], { timeoutMs: checkMs })).toEqual({ code: 0, output: '' })
  })

  test.skipIf(!onPath(['shellcheck'])).each(scripts)('shellcheck finds nothing in %s', async name => {
    expect(await run('shellcheck', [path.join(folder, name)], { timeoutMs: checkMs })).toEqual({ code: 0, output: '' })
  })
})
