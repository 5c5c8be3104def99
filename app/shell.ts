/** The shell as a whole: joins the link, an own server, tray, window and notifications, and does what a click asks for. */
import path from 'node:path'
import { app } from 'electron'
import type { Endpoint } from '../server/admin/contract/endpoint.ts'
import { AskFault, type AskInput, ask, type Line, lines } from './api.ts'
import type { Arguments } from './args.ts'
import { type Command, startsWithComputer, startWithComputer } from './autostart.ts'
import { askHowToQuit, showAbout, showRefusal } from './dialogs.ts'
import { Memory } from './memory.ts'
import { Notifications } from './notifications.ts'
import { ownLinks } from './own-page.ts'
import { ownDataFolder, type Program, programAt, serviceRunFolder } from './places.ts'
import { ServerLink } from './server-link.ts'
import { OwnServer } from './server-process.ts'
import { startService } from './service.ts'
import { OfficeTray } from './tray.ts'
import { type Action, menuOf } from './tray-menu.ts'
import { lookOf, type Situation, situationOf } from './tray-state.ts'
import { OfficeWindow } from './window.ts'

/** Longer than the server gives its own parts to stop. */
const STOP_MS = 40_000

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
  readonly #program: Program | undefined
  readonly #own: OwnServer | undefined
  readonly #link: ServerLink
  readonly #window: OfficeWindow
  #tray: OfficeTray | undefined
  readonly #notifications: Notifications
  readonly #memory: Memory
  #situation: Situation = { at: 'starting' }
  #isFirstLook = true
  #isQuitting = false
  /** A dialog is open: a second one would only be in its way. */
  #isAsking = false
  #whenStopped: (() => void) | undefined

  /** Starts everything; the window comes unless it is to be hidden. */
  static async start(options: ShellOptions): Promise<Shell> {
    const folder = options.args.program ?? path.join(process.resourcesPath, 'runtime')
    const shell = new Shell(options, await programAt(folder))
    shell.#begin()
    return shell
  }

  /** For `start` only. */
  constructor(options: ShellOptions, program: Program | undefined) {
    const { args, appFolder } = options
    const icons = path.join(appFolder, 'icons')
    const profile = app.getPath('userData')
    const data = args.data ?? ownDataFolder()
    this.#options = options
    this.#program = program
    this.#memory = new Memory(profile)
    this.#own =
      program && (args.data !== undefined || !program.service)
        ? new OwnServer({
            program,
            data,
            outputFile: path.join(profile, 'server-output.txt'),
            onChange: () => this.#refresh(),
          })
        : undefined
    this.#link = new ServerLink({
      folders: args.data === undefined ? [serviceRunFolder(), data] : [data],
      onChange: () => this.#looked(),
    })
    this.#window = new OfficeWindow({
      icon: path.join(icons, 'lanthorn.png'),
      canStart: this.#canStart,
      situation: () => this.#situation,
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

  /** Takes a link of one of our own pages. @returns false when it is none */
  followOwnLink(url: string): boolean {
    if (url === ownLinks.start) void this.#act({ do: 'start' })
    else if (url === ownLinks.signIn) void this.#window.openSignIn()
    else return false
    return true
  }

  get #canStart(): boolean {
    return this.#own !== undefined || this.#program?.service !== undefined
  }

  #begin(): void {
    app.on('before-quit', () => {
      this.#isQuitting = true
    })
    app.on('will-quit', event => {
      event.preventDefault()
      void this.#end()
    })
    if (!this.#options.args.isHidden) this.show()
    this.#link.look()
  }

  /** The link knows something new. */
  #looked(): void {
    const { at } = this.#link.state
    // Nobody runs it: we do. And one that we found running, and that died, has nobody else either.
    if (at === 'lost' || (at === 'stopped' && this.#isFirstLook)) this.#startUnasked()
    this.#isFirstLook = false
    if (at === 'stopped') this.#whenStopped?.()
    this.#refresh()
  }

  #startUnasked(): void {
    if (this.#own?.state.at === 'off' && !this.#isQuitting) this.#own.start()
  }

  #refresh(): void {
    const before = this.#situation
    this.#situation = situationOf(this.#link.state, this.#own?.state ?? { at: 'off' })
    const { command } = this.#options
    const facts = { startsWithComputer: startsWithComputer(command), canStart: this.#canStart }
    // Not before something is known: it comes as what it is.
    this.#tray ??= this.#newTray()
    this.#tray.show(lookOf(this.#situation), menuOf(this.#situation, facts))
    this.#notifications.follow(this.#situation)
    void this.#window.follow(before)
  }

  #newTray(): OfficeTray {
    return new OfficeTray({
      folder: path.join(this.#options.appFolder, 'icons'),
      look: lookOf(this.#situation),
      act: action => void this.#act(action),
      onClick: () => this.show(),
    })
  }

  async #act(action: Action): Promise<void> {
    switch (action.do) {
      case 'open':
        return this.#window.open(action.page)
      case 'answer':
        return this.#request(lines.answerJoin, { params: { id: action.id }, body: { accept: action.accept } })
      case 'pause':
        return this.#request(lines.pauseHere, { body: action.minutes === undefined ? {} : { minutes: action.minutes } })
      case 'resume':
        return this.#request(lines.resumeHere)
      case 'start':
        return this.#startAsked()
      case 'autostart':
        return this.#setAutostart(action.on)
      case 'about':
        return showAbout(path.join(this.#options.appFolder, 'icons', 'lanthorn.png'), this.#desktop)
      case 'quit':
        return this.#askToQuit()
      default:
        return action satisfies never
    }
  }

  get #desktop() {
    return this.#situation.at === 'up' ? this.#situation.desktop : undefined
  }

  /** Asks the server for something that was clicked; a refusal is shown. */
  async #request<E extends Endpoint>(line: Line<E>, input?: AskInput<E>): Promise<void> {
    if (this.#situation.at !== 'up') return
    try {
      await ask(this.#situation.run, line, input)
    } catch (error) {
      if (!(error instanceof AskFault)) throw error
      await showRefusal(error.message)
    }
    this.#link.look()
  }

  async #startAsked(): Promise<void> {
    const service = this.#own ? undefined : this.#program?.service
    if (service) {
      const fault = await startService(service)
      if (fault !== undefined) await showRefusal(fault)
    } else this.#own?.start()
    this.#link.look()
  }

  async #setAutostart(on: boolean): Promise<void> {
    try {
      await startWithComputer(on, this.#options.command)
    } catch (error) {
      await showRefusal(`This could not be changed: ${error instanceof Error ? error.message : error}.`)
    }
    this.#refresh()
  }

  async #askToQuit(): Promise<void> {
    const desktop = this.#desktop
    if (!desktop) return app.quit()
    if (this.#isAsking) return
    this.#isAsking = true
    const choice = await askHowToQuit(desktop)
    this.#isAsking = false
    if (choice === 'stay') return
    this.#own?.leave()
    if (choice === 'stop-chat') await this.#stopChat()
    app.quit()
  }

  /** Whoever started it: the server is asked, and gone when this resolves. */
  async #stopChat(): Promise<void> {
    await this.#request(lines.stopHere)
    this.#link.expectStop()
    await new Promise<void>(resolve => {
      this.#whenStopped = resolve
      setTimeout(resolve, STOP_MS)
    })
  }

  #tellOfClosing(): void {
    if (this.#isQuitting || !this.#desktop || this.#memory.get().hasToldOfClosing) return
    this.#memory.set({ hasToldOfClosing: true })
    const body =
      'Closing the window stops nothing. Chat on this PC goes on; the lantern beside the clock opens it again.'
    this.#notifications.show({ title: 'Lanthorn is still here', body, page: '/' })
  }

  /** A server of ours that we still supervise ends with us, in order; one that was left goes on. */
  async #end(): Promise<void> {
    this.#link.close()
    this.#notifications.close()
    await this.#own?.end()
    this.#tray?.close()
    app.exit(0)
  }
}
