/** A desktop session for tests: a screen that nobody sees (Xvfb), a D-Bus of its own, and on it the place for tray icons and for notifications. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import path from 'node:path'
import dbus from 'dbus-next'
import { withTimeout } from '../support/timeout.ts'
import { TrayIcon } from './tray-icon.ts'

const { Message, MessageType, Variant } = dbus
const WATCHER = 'org.kde.StatusNotifierWatcher'
const NOTIFICATIONS = 'org.freedesktop.Notifications'
const startMs = 15_000
/** A program whose icon has not come by then is given a new tray. */
const panelMs = 2_000
/** A picture may be written a moment after the word that it is new: looked at again then. */
const lookMs = 100
const programs = ['Xvfb', 'dbus-daemon', 'xdotool']
/** Stands in for the browser of the desktop: writes down what it is to open. */
const opener = '#!/bin/sh\nprintf "%s\\n" "$1" >> "$HOME/opened"\n'

/** Colours of an icon of an office where people can chat. */
export const chatWorks = /^(green|amber)$/

/** A second is how quickly a change shows. A computer that tests two things at once may take two, one with three times more to do than it can three. */
export function aSecond(): number {
  const [load = 0] = loadavg()
  return 1_000 * Math.max(2, load / availableParallelism())
}

/** Whether this computer has what a session is made of. */
export function hasDesktop(): boolean {
  const folders = (process.env.PATH ?? '').split(path.delimiter)
  return programs.every(name => folders.some(folder => existsSync(path.join(folder, name))))
}

/** One screen with one tray. */
export class DesktopSession implements AsyncDisposable {
  /** For what is started in it. */
  readonly env: Record<string, string>
  /** Titles of the notifications, as they came. */
  readonly notifications: string[] = []
  readonly #bus: dbus.MessageBus
  readonly #folder: string
  readonly #children: readonly ChildProcess[]
  readonly #waiting = new Set<() => void>()
  #tray: TrayIcon | undefined

  static async start(): Promise<DesktopSession> {
    const folder = await mkdtemp(path.join(tmpdir(), 'lanthorn-desktop-'))
    await chmod(folder, 0o755) // PostgreSQL runs as another user when the tests run as root
    await mkdir(path.join(folder, 'bin'))
    await writeFile(path.join(folder, 'bin', 'xdg-open'), opener, { mode: 0o755 })
    const address = `unix:path=${path.join(folder, 'bus')}`
    const screen = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '1280x900x24', '-nolisten', 'tcp'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    })
    const daemon = spawn('dbus-daemon', ['--session', '--nofork', '--print-address=3', `--address=${address}`], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    })
    for (const child of [screen, daemon]) running.add(child)
    const display = await firstLine(screen, 'Xvfb')
    await firstLine(daemon, 'dbus-daemon')
    const bus = dbus.sessionBus({ busAddress: address })
    const session = new DesktopSession({ folder, bus, children: [screen, daemon], display: `:${display}`, address })
    await bus.requestName(WATCHER, 0)
    await bus.requestName(NOTIFICATIONS, 0)
    return session
  }

  /** For `start` only. */
  constructor(made: {
    folder: string
    bus: dbus.MessageBus
    children: readonly ChildProcess[]
    display: string
    address: string
  }) {
    this.#folder = made.folder
    this.#bus = made.bus
    this.#children = made.children
    this.env = {
      DISPLAY: made.display,
      DBUS_SESSION_BUS_ADDRESS: made.address,
      HOME: made.folder,
      PATH: [path.join(made.folder, 'bin'), process.env.PATH].join(path.delimiter),
      XDG_CONFIG_HOME: path.join(made.folder, 'config'),
      XDG_RUNTIME_DIR: made.folder,
      NO_AT_BRIDGE: '1',
    }
    made.bus.addMethodHandler((call: dbus.Message) => this.#answer(call))
    made.bus.on('message', message => {
      if (message.type === MessageType.SIGNAL) this.#stir()
    })
  }

  /** The icon that came last. */
  get tray(): TrayIcon {
    if (!this.#tray) throw new Error('No icon has come to the tray.')
    return this.#tray
  }

  /** A file in the home folder, '' while there is none. */
  async homeFile(...names: string[]): Promise<string> {
    return await readFile(path.join(this.#folder, ...names), 'utf8').catch(() => '')
  }

  /** What was handed to the browser of the desktop, an address a line. */
  async opened(): Promise<string> {
    return await this.homeFile('opened')
  }

  /** Waits until something is true that shows on the bus. @throws Error with what `last` says when it does not come */
  async until(fits: () => boolean | Promise<boolean>, limitMs: number, last: () => unknown): Promise<void> {
    const endsAt = Date.now() + limitMs
    while (!(await fits())) {
      const leftMs = endsAt - Date.now()
      if (leftMs <= 0) throw new Error(`It does not come within ${limitMs} ms: ${JSON.stringify(await last())}`)
      await this.#stirred(Math.min(leftMs, lookMs))
    }
  }

  /** Waits for an icon of a program that was just started. */
  async untilTray(whatElse: () => unknown): Promise<TrayIcon> {
    const before = this.#tray
    const isThere = (): boolean => this.#tray !== before
    const panel = setInterval(() => void (isThere() || this.#restartPanel()), panelMs)
    try {
      await this.until(isThere, startMs, whatElse)
    } finally {
      clearInterval(panel)
    }
    return this.tray
  }

  /**
   * A panel that ends and comes back. The library with which Electron 9 shows icons may ask for the tray before it has its own connection to
   * D-Bus, on a busy computer, and only asks again when the tray is another one. (Newer ones of Electron do without that library.)
   */
  async #restartPanel(): Promise<void> {
    await this.#bus.releaseName(WATCHER)
    await this.#bus.requestName(WATCHER, 0)
  }

  /** Waits until the icon looks like this: {@link chatWorks} where a computer may have worries of its own. */
  async untilColour(tray: TrayIcon, colour: string | RegExp, limitMs: number): Promise<void> {
    const wanted = typeof colour === 'string' ? new RegExp(`^${colour}$`) : colour
    await this.until(
      async () => wanted.test(await tray.colour()),
      limitMs,
      () => tray.described(),
    )
  }

  /** Waits until the menu has this line. */
  async untilLine(tray: TrayIcon, label: string, limitMs: number): Promise<void> {
    await this.until(
      async () => (await tray.labels()).includes(label),
      limitMs,
      () => tray.described(),
    )
  }

  /** Presses keys in the window of that title, as a person would. */
  async press(title: string, keys: readonly string[]): Promise<void> {
    const args = [
      'search',
      '--sync',
      '--onlyvisible',
      '--name',
      title,
      'windowfocus',
      '--sync',
      'key',
      '--clearmodifiers',
      ...keys,
    ]
    const child = spawn('xdotool', args, { env: { ...process.env, ...this.env }, stdio: 'ignore' })
    const code = await withTimeout(
      new Promise<number>(resolve => child.on('close', ended => resolve(ended ?? -1))),
      startMs,
      () => {
        child.kill('SIGKILL')
        return `There is no window “${title}”.`
      },
    )
    if (code !== 0) throw new Error(`xdotool ended with ${code}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#bus.disconnect()
    for (const child of this.#children) {
      child.kill('SIGTERM')
      running.delete(child)
    }
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }

  #answer(call: dbus.Message): boolean {
    const reply = (signature = '', ...body: unknown[]): true => {
      this.#bus.send(Message.newMethodReturn(call, signature, body))
      this.#stir()
      return true
    }
    switch (`${call.interface}.${call.member}`) {
      case `${WATCHER}.RegisterStatusNotifierItem`: {
        // Older programs send the path of the icon, newer ones the name of its bus.
        const [item = ''] = call.body as string[]
        const isPath = item.startsWith('/')
        this.#tray = new TrayIcon(this.#bus, isPath ? call.sender : item, isPath ? item : '/StatusNotifierItem')
        return reply()
      }
      case 'org.freedesktop.DBus.Properties.Get':
        return reply('v', watcherProperties[String(call.body[1])] ?? new Variant('s', ''))
      case 'org.freedesktop.DBus.Properties.GetAll':
        return reply('a{sv}', watcherProperties)
      case `${NOTIFICATIONS}.GetServerInformation`:
        return reply('ssss', 'tests', 'Lanthorn', '1', '1.2')
      case `${NOTIFICATIONS}.GetCapabilities`:
        return reply('as', ['body', 'actions'])
      case `${NOTIFICATIONS}.Notify`:
        this.notifications.push(String(call.body[3]))
        return reply('u', this.notifications.length)
      case `${NOTIFICATIONS}.CloseNotification`:
        return reply()
      default:
        return false
    }
  }

  #stir(): void {
    for (const wake of this.#waiting) wake()
  }

  #stirred(limitMs: number): Promise<void> {
    return new Promise(resolve => {
      const wake = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, limitMs)
      this.#waiting.add(wake)
    })
  }
}

/** A test runner that is ended leaves no screen behind. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGTERM')
})

const watcherProperties: Record<string, dbus.Variant> = {
  IsStatusNotifierHostRegistered: new Variant('b', true),
  ProtocolVersion: new Variant('i', 0),
  RegisteredStatusNotifierItems: new Variant('as', []),
}

/** What a program says on descriptor 3 once it is there. */
async function firstLine(child: ChildProcess, name: string): Promise<string> {
  const said = new Promise<string>((resolve, reject) => {
    child.stdio[3]?.once('data', data => resolve(String(data).trim()))
    child.once('error', reject)
    child.once('exit', code => reject(new Error(`${name} ended with code ${code}`)))
  })
  return await withTimeout(said, startMs, () => {
    child.kill('SIGKILL')
    return `${name} did not start`
  })
}
