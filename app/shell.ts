/** The shell as a whole: shows in tray, window and notifications what is known of the server, and does what a click asks for. */
import path from 'node:path'
import { app } from 'electron'
import type { Desktop } from '../server/admin/contract/desktop.ts'
import { lines } from './api.ts'
import type { Arguments } from './args.ts'
import { type Command, startsWithComputer, startWithComputer } from './autostart.ts'
import { askHowToQuit, showAbout, showRefusal } from './dialogs.ts'
import { LocalServer } from './local-server.ts'
import { Memory } from './memory.ts'
import { Notifications } from './notifications.ts'
import { ownLinks } from './own-page.ts'
import { ownDataFolder, type Program, programAt, serviceRunFolder } from './places.ts'
import { OfficeTray } from './tray.ts'
import { type Action, menuOf } from './tray-menu.ts'
import { lookOf, type Situation } from './tray-state.ts'
import { OfficeWindow } from './window.ts'

/** What a start is made of. */
export interface ShellOptions {
  readonly args: Arguments
  /** The folder of the bundled shell, with the pictures. */
  readonly appFolder: string
  /** What starts this shell again, without a window. */
  readonly command: Command
}

/** One for the life of the process. */
export class Shell {
  readonly #options: ShellOptions
  readonly #icons: string
  readonly #server: LocalServer
  readonly #window: OfficeWindow
  readonly #notifications: Notifications
  readonly #memory: Memory
  #tray: OfficeTray | undefined
  #isQuitting = false
  /** A dialog is open: a second one would only be in its way. */
  #isAsking = false

  /** Starts everything; the window comes unless it is to be hidden. */
  static async start(options: ShellOptions): Promise<Shell> {
    const folder = options.args.program ?? path.join(process.resourcesPath, 'runtime')
    const shell = new Shell(options, await programAt(folder))
    shell.#begin()
    return shell
  }

  /** For `start` only. */
  constructor(options: ShellOptions, program: Program | undefined) {
    const { data } = options.args
    const profile = app.getPath('userData')
    this.#options = options
    this.#icons = path.join(options.appFolder, 'icons')
    this.#memory = new Memory(profile)
    this.#server = new LocalServer({
      program,
      data: data ?? ownDataFolder(),
      serviceFolder: data === undefined ? serviceRunFolder() : undefined,
      outputFile: path.join(profile, 'server-output.txt'),
      onChange: before => this.#refresh(before),
    })
    this.#window = new OfficeWindow({
      icon: path.join(this.#icons, 'lanthorn.png'),
      canStart: this.#server.canStart,
      situation: () => this.#server.situation,
      onClosed: () => this.#tellOfClosing(),
    })
    this.#notifications = new Notifications({
      version: this.#memory.get().version,
      open: page => void this.#window.open(page),
      onVersion: version => this.#memory.set({ version }),
    })
  }

  /** Where pages may come from now. */
  get home(): string | undefined {
    return this.#window.home
  }

  /** Shows the window. */
  show(): void {
    void this.#window.open()
  }

  /** Asks what shall end, as the menu's last line does. */
  quit(): void {
    void this.#act({ do: 'quit' })
  }

  /** Takes a link of one of our own pages. @returns false when it is none */
  followOwnLink(url: string): boolean {
    if (url === ownLinks.start) void this.#act({ do: 'start' })
    else if (url === ownLinks.signIn) void this.#window.openSignIn()
    else return false
    return true
  }

  #begin(): void {
    app.on('before-quit', () => {
      this.#isQuitting = true
      this.#window.close()
    })
    app.on('will-quit', event => {
      event.preventDefault()
      void this.#end()
    })
    if (!this.#options.args.isHidden) this.show()
    this.#server.open()
  }

  #refresh(before: Situation): void {
    const { situation } = this.#server
    this.#showTray()
    this.#notifications.follow(situation)
    void this.#window.follow(before)
  }

  /** Not before something is known: the icon comes as what it is. */
  #showTray(): void {
    const { situation, canStart } = this.#server
    const look = lookOf(situation)
    this.#tray ??= new OfficeTray({
      folder: this.#icons,
      look,
      act: action => void this.#act(action),
      onClick: () => this.show(),
    })
    this.#tray.show(
      look,
      menuOf(situation, { startsWithComputer: startsWithComputer(this.#options.command), canStart }),
    )
  }

  /** Does what a click asks for; where that cannot be done, says why. */
  async #act(action: Action): Promise<void> {
    const refusal = await this.#done(action)
    if (refusal !== undefined) await showRefusal(refusal)
  }

  /** @returns one sentence when it was not done */
  async #done(action: Action): Promise<string | undefined> {
    switch (action.do) {
      case 'open':
        await this.#window.open(action.page)
        return undefined
      case 'answer':
        return this.#server.request(lines.answerJoin, { params: { id: action.id }, body: { accept: action.accept } })
      case 'pause':
        return this.#server.request(lines.pauseHere, { body: action.minutes ? { minutes: action.minutes } : {} })
      case 'resume':
        return this.#server.request(lines.resumeHere)
      case 'start':
        return this.#server.start()
      case 'autostart':
        return this.#setAutostart(action.on)
      case 'about':
        await showAbout(path.join(this.#icons, 'lanthorn.png'), this.#desktop)
        return undefined
      case 'quit':
        return this.#askToQuit()
      default:
        return action satisfies never
    }
  }

  get #desktop(): Desktop | undefined {
    const { situation } = this.#server
    return situation.at === 'up' ? situation.desktop : undefined
  }

  async #setAutostart(on: boolean): Promise<string | undefined> {
    try {
      await startWithComputer(on, this.#options.command)
      return undefined
    } catch (error) {
      return `This could not be changed: ${error instanceof Error ? error.message : error}.`
    } finally {
      this.#showTray()
    }
  }

  async #askToQuit(): Promise<string | undefined> {
    if (this.#isAsking) return undefined
    this.#isAsking = true
    const desktop = this.#desktop
    const choice = desktop ? await askHowToQuit(desktop) : 'end'
    this.#isAsking = false
    if (choice === 'stay') return undefined
    if (choice === 'only-window') this.#server.leave()
    const refusal = choice === 'stop-chat' ? await this.#server.stop() : undefined
    if (refusal === undefined) app.quit()
    return refusal
  }

  #tellOfClosing(): void {
    if (this.#isQuitting || !this.#desktop || this.#memory.get().hasToldOfClosing) return
    this.#memory.set({ hasToldOfClosing: true })
    const body =
      'Closing the window stops nothing. Chat on this PC goes on; the lantern beside the clock opens it again.'
    this.#notifications.show({ title: 'Lanthorn is still here', body, page: '/' })
  }

  async #end(): Promise<void> {
    this.#notifications.close()
    await this.#server.close()
    this.#tray?.close()
    app.exit(0)
  }
}
