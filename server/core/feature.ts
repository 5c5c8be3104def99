import type { Static, TObject } from 'typebox'
import type { Server } from './server.ts'

/** A document we implement; the XEP table of the README is printed from these. */
export interface Standard {
  /** 'XEP-0191' or 'RFC 6121'. */
  readonly id: string
  readonly title: string
  /** Version of the XEP that was implemented. */
  readonly version?: string
  /** What is left out, if anything. */
  readonly note?: string
}

/**
 * A feature declares itself as data: from the declarations come the settings page, service discovery, the XEP table,
 * the order of starting and a clean stop.
 */
export interface Feature<S extends TObject = TObject> {
  /** One word or two joined by '-'; the prefix of its settings ('archive.daysKept'). */
  readonly name: string
  /** Heading on the settings page. */
  readonly title: string
  readonly standards: readonly Standard[]
  /** Names of features that must be started before this one. */
  readonly after?: readonly string[]
  /** JSON Schema of its settings: every property has `default`, `title` and, where needed, `description`. */
  readonly settings?: S
  /** The page of the settings it is printed on. */
  readonly page?: 'General' | 'Sign-in' | 'Messages' | 'Certificates' | 'Backup' | 'PCs' | 'Updates' | 'Advanced'
  /** SQL, numbered by position from 1; never changed once released, only added to. */
  readonly migrations?: readonly string[]
  /** Registers through `server`; all of it goes away when the feature stops. May return a function to run at stop. */
  start(server: Server<Static<S>>): StopFunction | undefined | Promise<StopFunction | undefined> | void | Promise<void>
}

export type StopFunction = () => void | Promise<void>

/** Gives a feature its types: `server.settings` is typed by its schema. */
export function feature<S extends TObject>(declaration: Feature<S>): Feature<S> {
  return declaration
}

/**
 * Orders features so that each stands after those it names.
 * @throws Error naming the feature when one names an unknown one, or two wait for each other
 */
export function startOrder(features: readonly Feature[]): Feature[] {
  const byName = new Map(features.map(one => [one.name, one]))
  const ordered: Feature[] = []
  const visiting = new Set<string>()
  const visit = (one: Feature): void => {
    if (ordered.includes(one)) return
    if (visiting.has(one.name)) throw new Error(`The features ${[...visiting].join(', ')} wait for each other.`)
    visiting.add(one.name)
    for (const name of one.after ?? []) {
      const before = byName.get(name)
      if (!before) throw new Error(`Feature ${one.name} wants to start after ${name}, which does not exist.`)
      visit(before)
    }
    visiting.delete(one.name)
    ordered.push(one)
  }
  for (const one of [...features].sort((a, b) => (a.name < b.name ? -1 : 1))) visit(one)
  return ordered
}
