import type { TObject, TProperties } from 'typebox'
import { Value } from 'typebox/value'
import type { Database } from '../db/pool.ts'
import { nearestTo } from '../nearest.ts'
import type { Feature } from './feature.ts'
import { forStanza } from './patience.ts'

/** A change that was refused; the message is the sentence to show. */
export class SettingRefused extends Error {
  override readonly name = 'SettingRefused'
  readonly key: string

  constructor(key: string, message: string) {
    super(message)
    this.key = key
  }
}

export interface SettingsListener {
  /** May throw an Error whose message says why the new values cannot be. Runs before anything is changed. */
  verify?(next: Readonly<never>): void
  /** Runs after the commit, on every node. */
  apply?(next: Readonly<never>): void
}

export interface SettingChange {
  readonly id: string
  readonly key: string
  readonly before: unknown
  readonly after: unknown
  readonly by: string
  readonly at: Date
}

type Values = Record<string, unknown>

interface Declared {
  readonly feature: Feature
  readonly schema: TObject
  readonly values: Values
  readonly listeners: Set<SettingsListener>
}

const HISTORY_ROWS_MAX = 5_000

/**
 * Settings are rows with a counter (DESIGN section 6): validate → every subscriber may refuse with a sentence → commit
 * → each node applies. A value equal to its default is no row, so a better default reaches those who never chose.
 */
export class Settings {
  readonly #db: Database
  readonly #declared = new Map<string, Declared>()
  /** One change at a time, so that verify sees what will be. */
  #turn: Promise<unknown> = Promise.resolve()
  #counter = 0
  #doubts = 0
  /** Set by who makes it: tells other nodes to read again, and waits a moment for those that are there. */
  onChanged: (() => Promise<unknown> | undefined) | undefined
  /** Set by who makes it: `counter` has changed, and what it counts is applied here. */
  onApplied: (() => void) | undefined

  static readonly migrations: readonly string[] = [
    `CREATE TABLE setting (
       key text PRIMARY KEY,
       value jsonb NOT NULL,
       changed_by text NOT NULL,
       changed_at timestamptz NOT NULL DEFAULT now()
     );
     CREATE TABLE setting_history (
       id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
       key text NOT NULL,
       before jsonb,
       after jsonb,
       changed_by text NOT NULL,
       changed_at timestamptz NOT NULL DEFAULT now()
     );
     CREATE TABLE setting_counter (is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only), counter bigint NOT NULL);
     INSERT INTO setting_counter (counter) VALUES (0);`,
  ]

  constructor(db: Database) {
    this.#db = db
  }

  /** Which change of the office's settings was applied last; other nodes compare theirs. */
  get counter(): number {
    return this.#counter
  }

  /** Makes the settings of a feature known, with their defaults. */
  declare(feature: Feature): void {
    const schema = feature.settings
    if (!schema) return
    this.#declared.set(feature.name, { feature, schema, values: defaultsOf(schema), listeners: new Set() })
  }

  /** The features that have settings, in the order of declaration. */
  declarations(): { feature: string; title: string; page: string; schema: TObject }[] {
    return [...this.#declared.values()].map(({ feature, schema }) => ({
      feature: feature.name,
      title: feature.title,
      page: feature.page ?? 'General',
      schema,
    }))
  }

  /** The live values of one feature: the same object for ever, changed in place. */
  of(feature: string): Values {
    return this.#declared.get(feature)?.values ?? {}
  }

  /** All values by key ('archive.daysKept'). */
  values(): Values {
    const all: Values = {}
    for (const [name, { values }] of this.#declared) {
      for (const [key, value] of Object.entries(values)) all[`${name}.${key}`] = value
    }
    return all
  }

  /** @returns a function that ends the subscription */
  subscribe(feature: string, listener: SettingsListener): () => void {
    const listeners = this.#declared.get(feature)?.listeners
    listeners?.add(listener)
    return () => listeners?.delete(listener)
  }

  /**
   * Reads what is in the database and applies what is newer than what this node has. Called at the start, by a hint of
   * another node, and every 30 s.
   */
  load(): Promise<void> {
    const loading = this.#turn.then(() => this.#load())
    this.#turn = loading.catch(() => 'the caller of that was told')
    return loading
  }

  async #load(): Promise<void> {
    const doubts = this.#doubts
    const counter = await this.#db.one<{ counter: string }>('SELECT counter FROM setting_counter', [], forStanza)
    const current = Number(counter?.counter ?? 0)
    if (current === this.#counter && current !== 0) return
    const rows = await this.#db.query<{ key: string; value: unknown }>('SELECT key, value FROM setting', [], forStanza)
    const stored = new Map(rows.map(row => [row.key, row.value]))
    for (const [name, declared] of this.#declared) {
      const defaults = defaultsOf(declared.schema)
      const next: Values = {}
      for (const [key, value] of Object.entries(defaults)) {
        const found = stored.get(`${name}.${key}`)
        // A value that an older or newer version left behind and this one cannot use counts as not set.
        next[key] = found !== undefined && checks(declared.schema, key, found) ? found : value
      }
      this.#apply(declared, next)
    }
    if (doubts === this.#doubts) this.#count(current)
  }

  /**
   * What the database holds may be something else than what is here, whatever its counter says: a change whose outcome is not known, or
   * another database server was promoted and changes were lost, after which it counts to the same numbers again. The next `load` reads everything.
   */
  doubt(): void {
    this.#doubts++
    this.#counter = -1
  }

  /**
   * Changes one setting for the whole office.
   * @param key 'feature.property'
   * @param value undefined = back to the default
   * @param by who changes it, for the history
   * @throws SettingRefused with the sentence to show; DatabaseAway
   */
  async set(key: string, value: unknown, by: string): Promise<void> {
    const change = this.#turn.then(() => this.#set(key, value, by))
    this.#turn = change.catch(() => 'the caller of that change was told')
    await change
    // Not within the turn: the other node may be waiting for this one.
    await this.onChanged?.()
  }

  /** The last changes, newest first. */
  async history(limit = 100): Promise<SettingChange[]> {
    const rows = await this.#db.query<{
      id: string
      key: string
      before: unknown
      after: unknown
      changed_by: string
      changed_at: Date
    }>(
      'SELECT id, key, before, after, changed_by, changed_at FROM setting_history ORDER BY id DESC LIMIT $1',
      [limit],
      { repeat: true },
    )
    return rows.map(row => ({
      id: String(row.id),
      key: row.key,
      before: row.before,
      after: row.after,
      by: row.changed_by,
      at: row.changed_at,
    }))
  }

  async #set(key: string, value: unknown, by: string): Promise<void> {
    const { declared, property } = this.#find(key)
    const defaults = defaultsOf(declared.schema)
    const wanted = value === undefined ? defaults[property] : value
    if (!checks(declared.schema, property, wanted))
      throw new SettingRefused(key, this.#whyNot(declared, property, wanted))
    const next = { ...declared.values, [property]: wanted }
    for (const listener of declared.listeners) {
      try {
        listener.verify?.(next as never)
      } catch (error) {
        throw new SettingRefused(key, error instanceof Error ? error.message : String(error))
      }
    }
    const before = declared.values[property]
    const isDefault = JSON.stringify(wanted) === JSON.stringify(defaults[property])
    let counter: number
    try {
      counter = await this.#write({ key, before, wanted, isDefault, by })
    } catch (error) {
      // Perhaps it was carried out all the same, and only the answer was lost: the truth is read as soon as it can be.
      this.doubt()
      void this.load().catch(() => 'the poll reads it')
      throw error
    }
    // A number was left out: somebody else has changed something, too, which the next look finds.
    const isNext = counter === this.#counter + 1
    this.#apply(declared, next)
    if (isNext) this.#count(counter)
  }

  #count(counter: number): void {
    this.#counter = counter
    this.onApplied?.()
  }

  /** @returns the new counter */
  async #write(change: {
    key: string
    before: unknown
    wanted: unknown
    isDefault: boolean
    by: string
  }): Promise<number> {
    const { key, before, wanted, by } = change
    return this.#db.transaction(async transaction => {
      if (change.isDefault) await transaction.exec('DELETE FROM setting WHERE key = $1', [key])
      else {
        await transaction.exec(
          `INSERT INTO setting (key, value, changed_by) VALUES ($1, $2, $3)
           ON CONFLICT (key) DO UPDATE SET value = $2, changed_by = $3, changed_at = now()`,
          [key, JSON.stringify(wanted), by],
        )
      }
      await transaction.exec('INSERT INTO setting_history (key, before, after, changed_by) VALUES ($1, $2, $3, $4)', [
        key,
        JSON.stringify(before ?? null),
        JSON.stringify(wanted ?? null),
        by,
      ])
      await transaction.exec('DELETE FROM setting_history WHERE id <= (SELECT max(id) - $1 FROM setting_history)', [
        HISTORY_ROWS_MAX,
      ])
      const row = await transaction.one<{ counter: string }>(
        'UPDATE setting_counter SET counter = counter + 1 RETURNING counter',
      )
      return Number(row?.counter ?? 0)
    })
  }

  #keys(): string[] {
    return [...this.#declared].flatMap(([name, { schema }]) =>
      Object.keys(schema.properties).map(property => `${name}.${property}`),
    )
  }

  #find(key: string): { declared: Declared; property: string } {
    const dot = key.indexOf('.')
    const declared = this.#declared.get(key.slice(0, dot))
    const property = key.slice(dot + 1)
    if (!declared || !Object.hasOwn(declared.schema.properties, property)) {
      const meant = nearestTo(key, this.#keys())
      throw new SettingRefused(key, `There is no setting called ${key}; did you mean ${meant}?`)
    }
    return { declared, property }
  }

  #apply(declared: Declared, next: Values): void {
    if (JSON.stringify(next) === JSON.stringify(declared.values)) return
    Object.assign(declared.values, next)
    for (const listener of declared.listeners) listener.apply?.(next as never)
  }

  #whyNot(declared: Declared, property: string, value: unknown): string {
    const schema = (declared.schema.properties as TProperties)[property] as {
      title?: string
      minimum?: number
      maximum?: number
    }
    const title = schema.title ?? property
    if (schema.minimum !== undefined && schema.maximum !== undefined) {
      return `${title} must be a whole number from ${schema.minimum} to ${schema.maximum}.`
    }
    const [error] = Value.Errors(schema as never, value)
    return `${title}: ${error?.message ?? 'this value is not possible'}.`
  }
}

function defaultsOf(schema: TObject): Values {
  return Value.Create(schema) as Values
}

function checks(schema: TObject, property: string, value: unknown): boolean {
  const one = (schema.properties as TProperties)[property]
  return one !== undefined && Value.Check(one, value)
}
