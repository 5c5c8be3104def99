/** The command line: what was asked for, or one sentence about what is wrong with it (DESIGN section 9). */
import { parseArgs } from 'node:util'
import { type Misunderstood, misunderstood, nearest } from './misunderstood.ts'
import {
  type BackupCommand,
  type Common,
  type DatabaseCommand,
  parseBackup,
  parseDatabase,
  parseRestore,
  type RestoreCommand,
  type Values,
} from './parse-database.ts'
import {
  type DrainCommand,
  type JoinCodeCommand,
  type JoinCommand,
  type NodesCommand,
  parseDrain,
  parseJoin,
  parseJoinCode,
  parseNodes,
} from './parse-nodes.ts'

/** What the program shall do. `data` undefined: the usual data folder. */
export type Command =
  | { name: 'run'; data?: string; config?: string; open: boolean }
  | { name: 'status'; data?: string; json: boolean }
  | { name: 'doctor'; data?: string; json: boolean }
  | { name: 'stop'; data?: string; json: boolean }
  | UserCommand
  | DatabaseCommand
  | BackupCommand
  | RestoreCommand
  | NodesCommand
  | JoinCodeCommand
  | JoinCommand
  | DrainCommand
  | UpdateCommand
  | { name: 'help'; topic: Topic | undefined }
  | { name: 'version' }

/** `user …`: changes who may chat. */
export type UserCommand = { name: 'user'; data?: string; json: boolean } & (
  | { action: 'add'; username: string; personName?: string; isAdmin: boolean }
  | { action: 'remove' | 'password'; username: string }
  | { action: 'list' }
)

/** `update …`: looks for a newer version, installs it on all PCs. */
export type UpdateCommand = { name: 'update'; action: 'show' | 'check' | 'install' | 'stop' } & Common

/** What there is help for. */
export type Topic =
  | 'run'
  | 'status'
  | 'doctor'
  | 'user'
  | 'db'
  | 'backup'
  | 'restore'
  | 'nodes'
  | 'join-code'
  | 'join'
  | 'drain'
  | 'stop'
  | 'update'

type Options = Record<string, { type: 'string' | 'boolean'; short?: string }>

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const
const everywhere: Options = { help: { type: 'boolean', short: 'h' } }
const known: Record<Topic, Options> = {
  run: { data: text, config: text, 'no-open': flag },
  status: { data: text, json: flag },
  doctor: { data: text, json: flag },
  user: { data: text, json: flag, name: text, admin: flag },
  db: { data: text, json: flag, detach: flag, cancel: flag, resume: flag, forget: flag },
  backup: { data: text, json: flag },
  restore: { data: text, json: flag, url: text, yes: flag, 'recovery-key': text },
  nodes: { data: text, json: flag, discover: flag },
  'join-code': { data: text, json: flag },
  join: { data: text, json: flag },
  drain: { data: text, json: flag, resume: flag, minutes: text },
  stop: { data: text, json: flag },
  update: { data: text, json: flag },
}
const topics = Object.keys(known) as Topic[]
const updateActions = ['check', 'install', 'stop'] as const
const actions = ['add', 'remove', 'list', 'password'] as const

/**
 * Understands the arguments behind the program's name.
 * @returns a command; never throws
 */
export function parseCommand(args: readonly string[]): Command | Misunderstood {
  const [first, ...others] = args
  if (first === '--version' || first === '-v' || first === 'version') return { name: 'version' }
  if (first === 'help') return { name: 'help', topic: topics.find(topic => topic === others[0]) }
  const isNamed = first !== undefined && !first.startsWith('-')
  const topic = isNamed ? topics.find(one => one === first) : 'run'
  if (!topic) return misunderstood(`There is no command ${first}${nearest(String(first), [...topics, 'help'])}.`)
  return read(topic, isNamed ? others : args)
}

function read(topic: Topic, args: readonly string[]): Command | Misunderstood {
  const options = { ...everywhere, ...known[topic] }
  const { tokens } = parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true })
  const values: Record<string, string | true> = {}
  const names: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') names.push(token.value)
    if (token.kind !== 'option') continue
    const option = options[token.name]
    const ways = Object.keys(options).map(name => `--${name}`)
    if (!option) return misunderstood(`There is no option ${token.rawName}${nearest(token.rawName, ways)}.`)
    if (option.type === 'boolean' && token.value !== undefined)
      return misunderstood(`${token.rawName} stands alone, without a value.`)
    // `--data --no-open`: a name that begins with a dash is a forgotten value.
    if (option.type === 'string' && (!token.value || (!token.inlineValue && token.value.startsWith('--'))))
      return misunderstood(`${token.rawName} needs a value behind it.`)
    values[token.name] = option.type === 'boolean' ? true : (token.value ?? '')
  }
  if (values.help) return { name: 'help', topic: args.length === 1 && topic === 'run' ? undefined : topic }
  return make(topic, values, names)
}

function make(topic: Topic, values: Values, names: string[]): Command | Misunderstood {
  const text = (name: string): string | undefined => (typeof values[name] === 'string' ? values[name] : undefined)
  const data = text('data')
  const config = text('config')
  const personName = text('name')
  const common: Common = { ...(data !== undefined && { data }), json: values.json === true }
  if (topic === 'user') return makeUser(common, { personName, isAdmin: values.admin === true }, names)
  if (topic === 'db') return parseDatabase(common, values, names)
  if (topic === 'backup') return parseBackup(common, names)
  if (topic === 'restore') return parseRestore(common, values, names)
  if (topic === 'nodes') return parseNodes(common, values, names)
  if (topic === 'join-code') return parseJoinCode(common, names)
  if (topic === 'join') return parseJoin(common, names)
  if (topic === 'drain') return parseDrain(common, values, names)
  if (topic === 'update') return makeUpdate(common, names)
  const [stray] = names
  if (stray !== undefined) return misunderstood(`${topic} takes no name, but there is ${stray} behind it.`)
  if (topic !== 'run') return { name: topic, ...common }
  const { json: _json, ...where } = common
  return { name: 'run', ...where, ...(config !== undefined && { config }), open: values['no-open'] !== true }
}

function makeUpdate(common: Common, [typed, stray]: string[]): Command | Misunderstood {
  if (typed === undefined) return { name: 'update', ...common, action: 'show' }
  const action = updateActions.find(one => one === typed)
  if (!action) return misunderstood(`There is no command update ${typed}${nearest(typed, updateActions)}.`)
  if (stray !== undefined) return misunderstood(`update ${action} takes nothing, but there is ${stray} behind it.`)
  return { name: 'update', ...common, action }
}

function makeUser(
  common: { data?: string; json: boolean },
  given: { personName: string | undefined; isAdmin: boolean },
  [action, username, stray]: string[],
): Command | Misunderstood {
  const found = actions.find(one => one === action)
  if (action === undefined) return misunderstood(`user needs to know what to do: ${actions.join(', ')}.`)
  if (!found) return misunderstood(`There is no command user ${action}${nearest(action, actions)}.`)
  const base = { name: 'user' as const, ...common }
  if (found !== 'add' && (given.personName !== undefined || given.isAdmin))
    return misunderstood(`--name and --admin belong to user add only.`)
  if (found === 'list') {
    if (username !== undefined) return misunderstood(`user list takes no name, but there is ${username} behind it.`)
    return { ...base, action: found }
  }
  if (username === undefined) return misunderstood(`user ${found} needs a user name behind it.`)
  if (stray !== undefined)
    return misunderstood(
      `user ${found} takes one user name, but there is ${stray} behind it; put a name with spaces behind --name, in quotes.`,
    )
  if (found !== 'add') return { ...base, action: found, username }
  const { personName, isAdmin } = given
  return { ...base, action: found, username, isAdmin, ...(personName !== undefined && { personName }) }
}
