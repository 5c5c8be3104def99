import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Fresh, startFresh } from '../e2e/fresh.ts'
import type { Appliance } from '../support/appliance.ts'
import { quietPort } from '../support/postgres-server.ts'
import { startWith, withoutJava } from '../support/small-office.ts'
import { chatWorks, DesktopSession, hasDesktop } from './session.ts'
import { BundledShell, electronProgram } from './shell.ts'

const joinMs = 40_000

describe.skipIf(electronProgram() === undefined || !hasDesktop())(
  'the tray of an office that another PC wants to join',
  () => {
    let office: Appliance
    let fresh: Fresh
    let clusterPort: number
    let session: DesktopSession
    let bundle: BundledShell
    beforeAll(async () => {
      clusterPort = await quietPort()
      const cluster = { enabled: true, discovery: { port: await quietPort() } }
      const settings = { 'passwords.iterations': 4096 }
      ;[office, fresh, session, bundle] = await Promise.all([
        startWith({ listen: { cluster: clusterPort }, cluster, settings }),
        startFresh({ pc: 'back-office', env: withoutJava }),
        DesktopSession.start(),
        BundledShell.make(),
      ])
    }, 90_000)
    afterAll(async () => {
      await fresh?.[Symbol.asyncDispose]()
      await office?.cleanup()
      await bundle?.[Symbol.asyncDispose]()
      await session?.[Symbol.asyncDispose]()
    }, 60_000)

    test('a blue dot, the code and Accept; then two PCs, and amber when one goes', async () => {
      await using shell = bundle.start(session, {
        profile: bundle.profile(),
        args: ['--program', bundle.folder, '--hidden'],
        env: { LANTHORN_RUN_FOLDER: office.dataDir },
      })
      const tray = await session.untilTray(() => shell.stderr)
      await session.untilColour(tray, chatWorks, 20_000)
      expect(await tray.labels()).toContain('Show join code…')

      const { origin } = new URL(fresh.adminUrl)
      const asked = await fetch(`${origin}/api/setup/join`, {
        method: 'POST',
        headers: { origin, 'content-type': 'application/json' },
        body: JSON.stringify({ address: `127.0.0.1:${clusterPort}` }),
      })
      expect(asked.status).toBe(200)
      await session.untilColour(tray, / \+ blue$/, 10_000)
      const lines = await tray.labels()
      expect(lines.slice(0, 5)).toEqual([
        expect.stringMatching(/^back-office \(127\.0\.0\.1\) wants to join$/),
        expect.stringMatching(/^Code \d{4} · \w+ \w+$/),
        'Accept',
        'Refuse',
        '—',
      ])
      const code = lines[1]?.replace('Code ', '')
      const joining = (await (await fetch(`${origin}/api/setup/join`)).json()) as { joining: { code: string } }
      expect(joining.joining.code).toBe(code)
      await session.until(
        () => session.notifications.length > 0,
        1_000,
        () => session.notifications,
      )
      expect(session.notifications).toEqual(['back-office wants to join ACME'])

      await tray.click('Accept')
      await session.untilLine(tray, '2 of 2 PCs', joinMs)
      await fresh.ready
      await fresh[Symbol.asyncDispose]()
      await session.untilLine(tray, '1 of 2 PCs', 20_000)
      await session.untilColour(tray, 'amber', 5_000)
      expect(session.notifications).toEqual(['back-office wants to join ACME'])
      shell.signal('SIGTERM')
      expect(await shell.exitCode()).toBe(0)
    }, 120_000)
  },
)
