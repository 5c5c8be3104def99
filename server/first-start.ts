/** What an office begins with: the autosetup file, node.json, and what may be refused on the way. */
import type { OfficeMade } from './admin/parts.ts'
import type { Chat } from './chat.ts'
import { type Config, ConfigFault, defaultListen } from './config.ts'
import { AccountRefused } from './core/accounts.ts'
import { SettingRefused } from './core/settings.ts'
import { DatabaseAway } from './db/pool.ts'
import { DatabaseUrlFault } from './db/url.ts'
import type { DataFolder } from './node.ts'
import type { OfficeIdentity } from './office.ts'

/** Who the office of a data folder is; undefined before one was made. */
export function identityOf(folder: DataFolder, config: Config | undefined): OfficeIdentity | undefined {
  if (config) {
    const { office, domain, node, listen, tls } = config
    return { office, domain, node, listen, tls }
  }
  const { office, domain, nodeName, listen, tls } = folder.state
  if (domain === undefined) return undefined
  return { office: office ?? domain, domain, node: nodeName, listen: listen ?? defaultListen(), tls }
}

/** First accounts and settings of the autosetup file. Those that are there (an interrupted start) stay. */
export async function takeOver(chat: Chat, config: Config): Promise<void> {
  const { accounts, settings } = chat.parts
  for (const [key, value] of Object.entries(config.settings)) {
    try {
      await settings.set(key, value, 'autosetup file')
    } catch (error) {
      if (!(error instanceof SettingRefused)) throw error
      throw new ConfigFault(`settings["${key}"] of the autosetup file cannot be used: ${error.message}`)
    }
  }
  const admins = [{ ...config.admin, isAdmin: true }]
  const people = [...admins, ...config.people.map(person => ({ ...person, isAdmin: false }))]
  for (const person of people) {
    const { name, ...rest } = { name: undefined, ...person }
    if (await accounts.get(person.username)) continue
    await accounts.create(name === undefined ? rest : { ...rest, name })
  }
}

/** What the wizard answers for a fault that people can mend; undefined for any other. */
export function refusalOf(error: unknown): OfficeMade | undefined {
  if (error instanceof AccountRefused) {
    return { kind: 'refused', sentence: error.message, field: `person.${error.field}` }
  }
  if (error instanceof DatabaseUrlFault || error instanceof DatabaseAway) {
    return { kind: 'refused', sentence: error.message, field: 'database.url' }
  }
  if (error instanceof Error && /Fault$/.test(error.name)) return { kind: 'refused', sentence: error.message }
  return undefined
}
