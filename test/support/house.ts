/** Where a script of people plays: a server of which a test can use what an administrator can, and nothing else. */
import { loadFeatures } from '../../server/chat.ts'
import { signInAs } from './admin-session.ts'
import { people, startAppliance } from './appliance.ts'
import { Office } from './office.ts'
import type { RawTarget } from './raw.ts'

/** A server with everything in it. The password of everybody is `<username>-password`. */
export interface House extends AsyncDisposable {
  /** Its nodes: devices are spread over them, so that people of one scene meet across nodes where there are several. */
  readonly targets: readonly [RawTarget, ...RawTarget[]]
  adds(username: string): Promise<void>
  removes(username: string): Promise<void>
  /** Changes a setting by its key; undefined = back to the default. */
  sets(key: string, value: boolean | number | string | undefined): Promise<void>
  /** Ends the connection of a full JID by force. */
  ends(jid: string): Promise<void>
}

/** What startChat has by itself; loadFeatures gives these as well. */
const included = new Set(['settings', 'passwords', 'sessions', 'rosters', 'messages', 'c2s', 'stream-management'])

/** A server in this process, without main.ts: two seconds until the first scene. */
export async function openOffice(): Promise<House & { readonly office: Office }> {
  const features = (await loadFeatures()).filter(one => !included.has(one.name))
  const office = await Office.start({ features, people: [] })
  const { accounts, settings, sessions } = office.chat.parts
  return {
    office,
    targets: [office.target('plain')],
    adds: async username => void (await accounts.create({ username, password: `${username}-password` })),
    removes: username => accounts.remove(username),
    sets: (key, value) => settings.set(key, value, 'test'),
    async ends(jid) {
      const session = sessions.get(jid)
      if (session) await sessions.end(session, 'kicked')
    },
    [Symbol.asyncDispose]: () => office[Symbol.asyncDispose](),
  }
}

/** A real appliance in a process of its own, changed through its admin API, spoken to over TLS. */
export async function openAppliance(): Promise<House> {
  const appliance = await startAppliance({ config: { settings: { 'passwords.iterations': 4096 } } })
  const ask = await signInAs(appliance, people.anna)
  const defaults = await readDefaults(await ask('GET', '/api/settings'))
  return {
    targets: [{ domain: appliance.domain, port: appliance.ready.c2sTls, over: 'tls', ca: await appliance.officeCa() }],
    adds: async username =>
      void (await ask('POST', '/api/people', { name: username, username, password: `${username}-password` })),
    removes: async username => void (await ask('DELETE', `/api/people/${username}`)),
    sets: async (key, value) => void (await ask('PUT', `/api/settings/${key}`, { value: value ?? defaults.get(key) })),
    ends: async jid => void (await ask('POST', '/api/connections/end', { jid })),
    [Symbol.asyncDispose]: () => appliance.cleanup(),
  }
}

async function readDefaults(response: Response): Promise<ReadonlyMap<string, unknown>> {
  const { groups } = (await response.json()) as { groups: { settings: { key: string; default: unknown }[] }[] }
  return new Map(groups.flatMap(group => group.settings.map(setting => [setting.key, setting.default] as const)))
}
