/** The grammar of `db`, `backup` and `restore`. */
import { type Misunderstood, misunderstood, nearest } from './misunderstood.ts'

/** What all commands to a data folder have. `data` undefined: the usual one. */
export interface Common {
  data?: string
  json: boolean
}

/** `db …`: where the data is. A `url` of `-` stands on standard input. */
export type DatabaseCommand = { name: 'db' } & Common &
  (
    | { action: 'status' | 'trust' }
    | { action: 'test'; url: string }
    | { action: 'move'; url: string; isDetached: boolean }
    | { action: 'steer-move'; steer: 'cancel' | 'resume' | 'forget'; isDetached: boolean }
  )

/** `backup …`: `make` makes one now and proves it. */
export type BackupCommand = { name: 'backup' } & Common &
  ({ action: 'make' } | { action: 'list' } | { action: 'prove'; backup: string })

/**
 * `restore …`: `from` is the name of a backup in the usual folder, or a folder. A `url` or `recoveryKey` of `-` stands on standard
 * input.
 */
export type RestoreCommand = { name: 'restore' } & Common & {
    from: string
    url?: string
    recoveryKey?: string
    isSure: boolean
  }

/** The options that were given, by name. */
export type Values = Readonly<Record<string, string | true>>

const databaseActions = ['test', 'status', 'move', 'trust'] as const
const steers = ['cancel', 'resume', 'forget'] as const
const backupActions = ['list', 'prove'] as const

/** `db test URL | status | move URL | move --cancel|--resume|--forget | trust`. */
export function parseDatabase(
  common: Common,
  values: Values,
  names: readonly string[],
): DatabaseCommand | Misunderstood {
  const [typed, url, stray] = names
  const action = databaseActions.find(one => one === typed)
  if (typed === undefined) return misunderstood(`db needs to know what to do: ${databaseActions.join(', ')}.`)
  if (!action) return misunderstood(`There is no command db ${typed}${nearest(typed, databaseActions)}.`)
  if (stray !== undefined) return misunderstood(`db ${action} takes one URL, but there is ${stray} behind it.`)
  const steered = steers.filter(one => values[one])
  const isDetached = values.detach === true
  if (action !== 'move' && (isDetached || steered.length > 0))
    return misunderstood('--detach, --cancel, --resume and --forget belong to db move only.')
  const base = { name: 'db' as const, ...common }
  if (action === 'move') return parseMove(base, { url, steered, isDetached })
  if (action === 'test') {
    if (url === undefined) return misunderstood('db test needs a URL behind it, or - to read it from standard input.')
    return { ...base, action, url }
  }
  if (url !== undefined) return misunderstood(`db ${action} takes no URL, but there is one behind it.`)
  return { ...base, action }
}

function parseMove(
  base: { name: 'db' } & Common,
  given: { url: string | undefined; steered: readonly (typeof steers)[number][]; isDetached: boolean },
): DatabaseCommand | Misunderstood {
  const { url, steered, isDetached } = given
  const [steer, other] = steered
  if (other) return misunderstood(`db move takes one of --cancel, --resume and --forget, not several.`)
  if (steer && url !== undefined)
    return misunderstood(`db move --${steer} takes no URL: it is about the move there is.`)
  if (isDetached && (steer === 'cancel' || steer === 'forget'))
    return misunderstood(`--detach does not go with --${steer}: there is nothing to wait for.`)
  if (steer) return { ...base, action: 'steer-move', steer, isDetached }
  if (url === undefined)
    return misunderstood(
      'db move needs a URL behind it, - to read it from standard input, or one of --cancel, --resume and --forget.',
    )
  return { ...base, action: 'move', url, isDetached }
}

/** `backup | backup list | backup prove NAME`. */
export function parseBackup(common: Common, names: readonly string[]): BackupCommand | Misunderstood {
  const [typed, backup, stray] = names
  const base = { name: 'backup' as const, ...common }
  if (typed === undefined) return { ...base, action: 'make' }
  const action = backupActions.find(one => one === typed)
  if (!action) return misunderstood(`There is no command backup ${typed}${nearest(typed, backupActions)}.`)
  if (action === 'list') {
    if (backup !== undefined) return misunderstood(`backup list takes no name, but there is ${backup} behind it.`)
    return { ...base, action }
  }
  if (backup === undefined) return misunderstood('backup prove needs the name of a backup behind it: see backup list.')
  if (stray !== undefined) return misunderstood(`backup prove takes one name, but there is ${stray} behind it.`)
  return { ...base, action, backup }
}

/** `restore NAME|FOLDER [--url URL] [--recovery-key KEY] [--yes]`. */
export function parseRestore(common: Common, values: Values, names: readonly string[]): RestoreCommand | Misunderstood {
  const [from, stray] = names
  if (from === undefined)
    return misunderstood('restore needs the name of a backup behind it (see backup list), or the folder of one.')
  if (stray !== undefined) return misunderstood(`restore takes one backup, but there is ${stray} behind it.`)
  const { url, yes, 'recovery-key': recoveryKey } = values
  return {
    name: 'restore',
    ...common,
    from,
    ...(typeof url === 'string' && { url }),
    ...(typeof recoveryKey === 'string' && { recoveryKey }),
    isSure: yes === true,
  }
}
