/** The address of a database while it is typed and tried: one text, its parts, and what came of testing it. */
import type { DatabaseInspection } from '../../../server/admin/contract/database.ts'
import { type Trouble, troubleIn } from '../api.ts'
import { say } from '../messages/say.ts'
import { noParts, type Parts, partsOf, urlOf } from './parts.ts'

/** A text and a form that are two views of one address; a change of either drops what was found out about the one before. */
export class Trial {
  #url = $state('')
  #parts = $state.raw<Parts>(noParts)
  /** Whether the parts say the same as the text: false while only the server could read it. */
  isRead = $state(true)
  inspection = $state.raw<DatabaseInspection>()
  trouble = $state.raw<Trouble>()
  /** Why the text is no address, in a sentence. */
  refusal = $state<string>()
  /** From where on: offset in the text. */
  at = $state<number>()
  testing = $state(false)
  readonly #ask: (url: string) => Promise<DatabaseInspection>

  /** @param ask looks at every host of a URL; rejects with CallFailed */
  constructor(ask: (url: string) => Promise<DatabaseInspection>) {
    this.#ask = ask
  }

  /** The text as it was pasted or made from the parts. */
  get url(): string {
    return this.#url
  }

  set url(text: string) {
    this.#url = text
    const parts = text.trim() === '' ? noParts : partsOf(text)
    this.isRead = parts !== undefined
    this.#parts = parts ?? noParts
    this.#forget()
  }

  /** The parts of the text. */
  get parts(): Parts {
    return this.#parts
  }

  /** Changes some parts, and with them the text. */
  change(some: Partial<Parts>): void {
    this.#parts = { ...this.#parts, ...some }
    this.#url = urlOf(this.#parts)
    this.isRead = true
    this.#forget()
  }

  #forget(): void {
    this.inspection = undefined
    this.trouble = undefined
    this.refusal = undefined
    this.at = undefined
  }

  /** Tests the address; what was found stands in `inspection`, `refusal` or `trouble`. @returns true when it can be used. */
  async test(): Promise<boolean> {
    if (this.testing) return false
    const url = this.#url
    this.#forget()
    this.refusal = url.trim() ? undefined : say.databaseAddress.missing
    if (this.refusal) return false
    this.testing = true
    try {
      const found = await this.#ask(url)
      // What was changed meanwhile was not tested.
      if (url !== this.#url) return false
      this.#learn(found)
      return found.state !== 'bad' && found.hosts.length > 0
    } catch (thrown) {
      const trouble = troubleIn(thrown)
      if (trouble.field) this.refusal = trouble.sentence
      else this.trouble = trouble
      return false
    } finally {
      this.testing = false
    }
  }

  #learn(found: DatabaseInspection): void {
    const parts = found.spellings && partsOf(found.spellings.libpq)
    if (parts) {
      this.#parts = parts
      this.isRead = true
    }
    // Without a single host the text itself could not be read: that belongs to its field.
    if (found.hosts.length > 0) {
      this.inspection = found
    } else {
      // The word “embedded” is read as well, but nobody's servers are meant by it.
      this.refusal = found.state === 'bad' ? found.sentence : say.databaseAddress.builtIn
      this.at = found.at
    }
  }
}
