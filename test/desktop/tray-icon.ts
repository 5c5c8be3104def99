/** One icon of the tray as any desktop sees it: StatusNotifierItem for the picture, com.canonical.dbusmenu for the menu. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import dbus from 'dbus-next'
import { dominantColour } from './picture.ts'

const { Message, Variant } = dbus
const ITEM = 'org.kde.StatusNotifierItem'
const MENU = 'com.canonical.dbusmenu'

type Layout = [id: number, properties: Record<string, dbus.Variant>, below: dbus.Variant<Layout>[]]

/** A line of the menu. */
export interface ShownLine {
  readonly id: number
  /** `—` is a separator. */
  readonly label: string
  readonly isEnabled: boolean
  readonly isChecked: boolean
  readonly lines: readonly ShownLine[]
}

/** Asks the program that shows it. */
export class TrayIcon {
  readonly #bus: dbus.MessageBus
  readonly #owner: string
  readonly #item: string
  #menuPath: string | undefined

  constructor(bus: dbus.MessageBus, owner: string, item: string) {
    this.#bus = bus
    this.#owner = owner
    this.#item = item
    // Signals say that it looks different now; they are only asked for.
    const rule = `type='signal',sender='${owner}'`
    void this.#call('org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus', 'AddMatch', 's', [rule])
  }

  /** The colour that most of the picture has: `green`, `amber`, `red` or `grey`; `… + blue` with a dot on it. `changing` while it is replaced. */
  async colour(): Promise<string> {
    const folder = await this.#property('IconThemePath')
    const name = await this.#property('IconName')
    const picture = await readFile(path.join(String(folder), `${name}.png`)).catch(() => undefined)
    return picture ? dominantColour(picture) : 'changing'
  }

  /** Everything in one line, for a test that fails. */
  async described(): Promise<string> {
    return `${await this.colour()}: ${(await this.labels()).join(' | ')}`
  }

  /** The menu as it is now. */
  async menu(): Promise<readonly ShownLine[]> {
    const [, layout] = await this.#menu('GetLayout', 'iias', [0, -1, []])
    return linesOf(layout as Layout)
  }

  /** The labels, those of submenus behind `›`. */
  async labels(): Promise<string[]> {
    const read = (lines: readonly ShownLine[]): string[] =>
      lines.flatMap(line => [line.label, ...read(line.lines).map(label => `› ${label}`)])
    return read(await this.menu())
  }

  /** Clicks a line, wherever in the menu it is. */
  async click(label: string): Promise<void> {
    const all = (lines: readonly ShownLine[]): ShownLine[] => lines.flatMap(line => [line, ...all(line.lines)])
    const line = all(await this.menu()).find(one => one.label === label)
    if (!line) throw new Error(`The menu has no line “${label}”: ${(await this.labels()).join(' | ')}`)
    if (!line.isEnabled) throw new Error(`“${label}” cannot be clicked.`)
    await this.#menu('Event', 'isvu', [line.id, 'clicked', new Variant('i', 0), 0])
  }

  async #menu(member: string, signature: string, body: unknown[]): Promise<unknown[]> {
    this.#menuPath ??= String(await this.#property('Menu'))
    return await this.#call(this.#owner, this.#menuPath, MENU, member, signature, body)
  }

  async #property(name: string): Promise<unknown> {
    const properties = 'org.freedesktop.DBus.Properties'
    const [variant] = await this.#call(this.#owner, this.#item, properties, 'Get', 'ss', [ITEM, name])
    return (variant as dbus.Variant).value
  }

  async #call(destination: string, path: string, name: string, member: string, signature: string, body: unknown[]) {
    const message = new Message({ destination, path, interface: name, member, signature, body })
    return ((await this.#bus.call(message))?.body ?? []) as unknown[]
  }
}

function linesOf([, , below]: Layout): ShownLine[] {
  return below.map(({ value }) => {
    const [id, properties] = value
    const isSeparator = properties.type?.value === 'separator'
    return {
      id,
      // A single underscore would underline the next letter.
      label: isSeparator ? '—' : String(properties.label?.value ?? '').replaceAll('__', '_'),
      isEnabled: properties.enabled?.value !== false,
      isChecked: properties['toggle-state']?.value === 1,
      lines: linesOf(value),
    }
  })
}
