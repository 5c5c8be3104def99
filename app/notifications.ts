/** Shows what news.ts finds worth it. */
import { Notification } from 'electron'
import { type News, newsOf, nothingTold, type Told } from './news.ts'
import { lookOf, type Situation } from './tray-state.ts'

/** A server that dies and is back at once has not been red for anybody. */
const RED_MS = 3_000

/** One for the life of the shell. */
export class Notifications {
  readonly #open: (page: string) => void
  readonly #onVersion: (version: string) => void
  #told: Told
  #late: NodeJS.Timeout | undefined
  /** Kept until they are clicked or gone, or their listeners would go with them. */
  readonly #shown = new Set<Notification>()

  /** @param options.version the last one that was seen; a new one is told, and handed to `onVersion` */
  constructor(options: {
    version: string | undefined
    open: (page: string) => void
    onVersion: (version: string) => void
  }) {
    this.#open = options.open
    this.#onVersion = options.onVersion
    this.#told = nothingTold(options.version)
  }

  /** What is known has changed. */
  follow(situation: Situation): void {
    clearTimeout(this.#late)
    const isRed = lookOf(situation).icon === 'bad'
    if (isRed && !this.#told.isRed) this.#late = setTimeout(() => this.#tell(situation), RED_MS)
    else this.#tell(situation)
  }

  /** Shows one; a click opens its page. */
  show({ title, body, page }: News): void {
    const notification = new Notification({ title, body })
    const forget = (): void => void this.#shown.delete(notification)
    notification.on('click', () => {
      forget()
      this.#open(page)
    })
    notification.on('close', forget)
    this.#shown.add(notification)
    const oldest = this.#shown.values().next().value
    if (oldest && this.#shown.size > SHOWN_MAX) this.#shown.delete(oldest)
    notification.show()
  }

  close(): void {
    clearTimeout(this.#late)
  }

  #tell(situation: Situation): void {
    const { news, told } = newsOf(situation, this.#told)
    if (told.version !== undefined && told.version !== this.#told.version) this.#onVersion(told.version)
    this.#told = told
    for (const one of news) this.show(one)
  }
}

/** Desktops without a list of notifications never say that one is gone. */
const SHOWN_MAX = 20
