/** The icon beside the clock. What it shows and offers is decided in tray-state.ts and tray-menu.ts. */
import path from 'node:path'
import { Menu, type MenuItemConstructorOptions, nativeImage, Tray } from 'electron'
import type { Action, MenuLine } from './tray-menu.ts'
import type { Look } from './tray-state.ts'

/** Keeps the icon where the person has put it, also after an update (Windows). */
const GUID = '9f1a4c1e-6f0b-4d57-8a53-4c414e54484e'

/** Shown as long as it lives. */
export class OfficeTray {
  readonly #tray: Tray
  readonly #folder: string
  readonly #act: (action: Action) => void
  #shown: Look
  #menu = ''

  /** @param options.folder of the pictures */
  constructor(options: { folder: string; look: Look; act: (action: Action) => void; onClick: () => void }) {
    this.#folder = options.folder
    this.#act = options.act
    const image = this.#image(options.look)
    this.#shown = options.look
    this.#tray = process.platform === 'win32' ? new Tray(image, GUID) : new Tray(image)
    this.#tray.setToolTip(options.look.tooltip)
    // On macOS, and on most Linux desktops, a click opens the menu by itself.
    if (process.platform !== 'darwin') this.#tray.on('click', options.onClick)
  }

  /** Changes only what is different: a menu that is open must not close under the pointer. */
  show(look: Look, lines: readonly MenuLine[]): void {
    const { icon, isAwaited, tooltip } = this.#shown
    if (look.icon !== icon || look.isAwaited !== isAwaited) this.#tray.setImage(this.#image(look))
    if (look.tooltip !== tooltip) this.#tray.setToolTip(look.tooltip)
    const menu = JSON.stringify(lines)
    if (menu !== this.#menu) this.#tray.setContextMenu(Menu.buildFromTemplate(lines.map(line => this.#item(line))))
    this.#shown = look
    this.#menu = menu
  }

  close(): void {
    this.#tray.destroy()
  }

  #image({ icon, isAwaited }: Look): Electron.NativeImage {
    const endings: Partial<Record<NodeJS.Platform, string>> = { win32: '.ico', darwin: 'Template.png' }
    const name = `${icon}${isAwaited ? '-waiting' : ''}${endings[process.platform] ?? '.png'}`
    return nativeImage.createFromPath(path.join(this.#folder, name))
  }

  #item(line: MenuLine): MenuItemConstructorOptions {
    if (line === 'separator') return { type: 'separator' }
    const { label, action, checked, lines } = line
    return {
      // An & would underline the next letter instead of being shown.
      label: label.replace(/&/g, '&&'),
      enabled: action !== undefined || lines !== undefined,
      ...(checked !== undefined && { type: 'checkbox', checked }),
      ...(action && { click: () => this.#act(action) }),
      ...(lines && { submenu: lines.map(one => this.#item(one)) }),
    }
  }
}
