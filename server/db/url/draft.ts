/** What the four spellings have in common: what was said, by libpq's keyword, each with its place in the text. */

/** What a URL may say that matters to us, under libpq's keyword (manual 32.1.2). */
export type Setting =
  | 'host'
  | 'hostaddr'
  | 'port'
  | 'user'
  | 'password'
  | 'dbname'
  | 'sslmode'
  | 'sslrootcert'
  | 'channel_binding'
  | 'target_session_attrs'
  | 'load_balance_hosts'
  | 'connect_timeout'
  | 'application_name'
  | 'options'

/** A piece of the text, already decoded, and the offset where it begins. */
export interface Item {
  readonly text: string
  readonly at: number
}

/** What was read so far. Later words replace earlier ones, as in libpq. */
export interface Draft {
  hosts: Item[]
  ports: Item[]
  addresses: Item[]
  readonly settings: Map<Setting, Item>
  /** A sentence for who wrote a host or a port wrong: how they are written in this spelling. */
  readonly advice: string
  /** A whole one in this spelling, for who left something out. */
  readonly example: string
}

/** A draft in which nothing was said yet. */
export function newDraft(advice: string, example: string): Draft {
  return { hosts: [], ports: [], addresses: [], settings: new Map(), advice, example }
}

/** Takes a setting into the draft; hosts, ports and addresses come as lists. */
export function say(draft: Draft, setting: Setting, items: readonly Item[]): void {
  const isNothing = items.length === 1 && items[0]?.text === ''
  if (setting === 'host') draft.hosts = isNothing ? [] : [...items]
  // Ports that are all left out say nothing, however many hosts they were left out for.
  else if (setting === 'port') draft.ports = items.every(item => item.text === '') ? [] : [...items]
  else if (setting === 'hostaddr') draft.addresses = isNothing ? [] : [...items]
  else {
    const first = items[0]
    if (first === undefined || isNothing) draft.settings.delete(setting)
    else draft.settings.set(setting, first)
  }
}

/** Whether a setting is a list with commas. */
export function isList(setting: Setting): boolean {
  return setting === 'host' || setting === 'port' || setting === 'hostaddr'
}

/** Cuts `text`, which stands at offset `at`, at each match of `separator` (a global expression). */
export function cutAt(text: string, at: number, separator: RegExp): Item[] {
  const items: Item[] = []
  let start = 0
  for (const match of text.matchAll(separator)) {
    items.push({ text: text.slice(start, match.index), at: at + start })
    start = match.index + match[0].length
  }
  items.push({ text: text.slice(start), at: at + start })
  return items
}
