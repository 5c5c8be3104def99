import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Appliance, people, startAppliance } from '../support/appliance.ts'
import { eventually } from '../support/postgres-server.ts'
import { RawClient } from '../support/raw.ts'
import { withoutJava } from '../support/small-office.ts'
import { aSecond, chatWorks, DesktopSession, hasDesktop } from './session.ts'
import { BundledShell, electronProgram, type Shell } from './shell.ts'
import type { TrayIcon } from './tray-icon.ts'

/** For what starts, on a busy computer. */
const startMs = 20_000

describe.skipIf(electronProgram() === undefined || !hasDesktop())('the shell of an office that a service runs', () => {
  let office: Appliance
  let session: DesktopSession
  let bundle: BundledShell
  beforeAll(async () => {
    ;[office, session, bundle] = await Promise.all([
      startAppliance({ env: withoutJava }),
      DesktopSession.start(),
      BundledShell.make(),
    ])
  }, 90_000)
  afterAll(async () => {
    await office?.cleanup()
    await bundle?.[Symbol.asyncDispose]()
    await session?.[Symbol.asyncDispose]()
  }, 60_000)

  /** Starts the shell as the service's own: it finds the server by the run folder, and starts none itself. */
  async function start(...args: string[]): Promise<{ shell: Shell; tray: TrayIcon; again: () => Shell }> {
    const options = {
      profile: bundle.profile(),
      args: ['--program', bundle.folder, ...args],
      env: { LANTHORN_RUN_FOLDER: office.dataDir },
    }
    const shell = bundle.start(session, options)
    const tray = await session.untilTray(() => shell.stderr)
    await session.untilColour(tray, chatWorks, startMs)
    return { shell, tray, again: () => bundle.start(session, options) }
  }

  test('hidden, it is an icon with a menu and no window', async () => {
    const { shell, tray } = await start('--hidden')
    await using _ = shell
    expect(await tray.labels()).toEqual([
      expect.stringMatching(/^ACME — (everything|chat) works$/),
      '0 people online',
      '1 PC',
      '—',
      'Open ACME chat server',
      'Invite people…',
      '—',
      'Pause this PC',
      '› For 30 minutes',
      '› Until I resume',
      '—',
      'Start with the computer',
      expect.stringMatching(/^Updates: \S.*[^.]$/),
      'About',
      'Quit…',
    ])
    expect((await tray.menu()).find(line => line.label.startsWith('ACME'))?.isEnabled).toBe(false)
    expect(await shell.hasWindow()).toBe(false)
  })

  test('who comes online is counted within a second', async () => {
    const { shell, tray } = await start('--hidden')
    await using _ = shell
    const target = { over: 'tcp', port: office.ready.c2s, domain: office.domain, ca: await office.officeCa() } as const
    await using romeo = await RawClient.logIn(target, people.romeo)
    romeo.send('<presence/>')
    await session.untilLine(tray, '1 person online', aSecond())
  })

  test('it is started with the computer when that is ticked, and no more when it is not', async () => {
    const { shell, tray } = await start('--hidden')
    await using _ = shell
    const entry = () => session.homeFile('config', 'autostart', 'lanthorn-desktop.desktop')
    const isTicked = async () => (await tray.menu()).find(line => line.label === 'Start with the computer')?.isChecked
    // A menu ticks its line as soon as it is clicked; the file follows.
    const becomes = (isOn: boolean, content: RegExp) =>
      session.until(
        async () => (await isTicked()) === isOn && content.test(await entry()),
        aSecond(),
        async () => `${await tray.described()}\n${await entry()}`,
      )
    await tray.click('Start with the computer')
    await becomes(true, /^Exec=".*electron".* "--hidden"$/m)
    await tray.click('Start with the computer')
    await becomes(false, /^$/)
  })

  test('a pause hands over and is grey; Resume ends it', async () => {
    const { shell, tray } = await start('--hidden')
    await using _ = shell
    await tray.click('Until I resume')
    await session.untilLine(tray, 'This PC is paused until you resume', startMs)
    await session.untilColour(tray, 'grey', aSecond())
    expect((await tray.labels())[0]).toBe('ACME — paused')
    await tray.click('Resume')
    await session.untilColour(tray, chatWorks, startMs)
  })

  test('a server that is killed turns it red within a second, and one that comes back green', async () => {
    const { shell, tray } = await start('--hidden')
    await using _ = shell
    const before = session.notifications.length
    await office.kill()
    await session.untilColour(tray, 'red', aSecond())
    expect(await tray.labels()).toContain('ACME — chat is off')
    const told = () => session.notifications.slice(before)
    await session.until(() => told().includes('ACME — chat is off'), 5_000, told)
    await office.start()
    await session.untilColour(tray, chatWorks, aSecond())
    await session.until(() => told().length > 1, aSecond(), told)
    expect(told()).toEqual(['ACME — chat is off', expect.stringMatching(/^ACME — (everything|chat) works$/)])
  }, 60_000)

  test('the window opens signed in, also on a page that the menu names; closing it stops nothing, and says so once', async () => {
    const { shell, tray, again } = await start()
    await using _ = shell
    await shell.untilText('Sign out')
    await tray.click('Invite people…')
    await shell.untilPage("location.hash === '#/people'")
    const before = session.notifications.length
    for (const open of [() => tray.click('Open ACME chat server'), () => again().exitCode()]) {
      await shell.ask('window.close()')
      await eventually('the window to close', async () => !(await shell.hasWindow()))
      await open()
      await shell.untilText('Sign out')
    }
    expect(session.notifications.slice(before)).toEqual(['Lanthorn is still here'])
    await session.untilColour(tray, chatWorks, aSecond())
  }, 60_000)

  test('a page that would lead elsewhere does not: links go to the browser, everything else nowhere', async () => {
    const { shell } = await start()
    await using _ = shell
    await shell.untilText('Sign out')
    const home = await shell.ask<string>('location.origin')
    // Another appliance on this PC would be another origin too.
    const elsewhere = 'http://127.0.0.1:1/'
    await shell.ask(`void open('https://example.org/help'); void (location.href = 'https://example.org/')`)
    await shell.ask(`void (location.href = 'file:///etc/passwd'); void open('file:///etc/passwd')`)
    await shell.ask(
      `void open('smb://example.org/'); void open('about:blank'); void (location.href = 'data:text/html,x')`,
    )
    expect(await shell.ask(`fetch('${elsewhere}').then(() => 'loaded', () => 'refused')`)).toBe('refused')
    expect(await shell.ask('Notification.requestPermission()')).toBe('denied')
    expect(await shell.ask('[typeof require, typeof process, typeof module].join()')).toBe(
      'undefined,undefined,undefined',
    )
    await shell.ask("void open('https://example.org/last')")
    await eventually('the last link', async () => (await session.opened()).includes('last'))
    expect(await session.opened()).not.toMatch(/file:|smb:|about:|data:/)
    expect(await session.opened()).toContain('https://example.org/help\n')
    expect(await shell.ask('location.origin')).toBe(home)
  })

  test('“Quit only this window” leaves chat on', async () => {
    const { shell, tray } = await start('--hidden')
    await using _ = shell
    await tray.click('Quit…')
    await session.press('Quit Lanthorn', ['Return'])
    expect(await shell.exitCode()).toBe(0)
    expect(() => process.kill(office.pid, 0)).not.toThrow()
  })

  test('“Stop chat on this PC” stops it in order', async () => {
    const { shell, tray } = await start('--hidden')
    await using _ = shell
    await tray.click('Quit…')
    await session.press('Quit Lanthorn', ['Tab', 'Return'])
    expect(await shell.exitCode()).toBe(0)
    expect(await office.ended()).toBe(0)
    await office.start()
  }, 60_000)

  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s ends the shell, also with its window open, and leaves the service alone',
    async signal => {
      const { shell } = await start()
      await using _ = shell
      await shell.untilText('Sign out')
      shell.signal(signal)
      expect(await shell.exitCode(10_000)).toBe(0)
      expect(() => process.kill(office.pid, 0)).not.toThrow()
    },
  )
})
