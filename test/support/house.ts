/** Where a script of people plays: a server of which a test can use what an administrator can, and nothing else. */
import { afterAll } from 'vitest'
import { signInAs } from './admin-session.ts'
import { people, startAppliance } from './appliance.ts'
import { furtherFeatures } from './cluster-node.ts'
import { Office } from './office.ts'
import type { RawTarget } from './raw.ts'
import { deeds, openMortalNodes, openTwoNodes } from './two-nodes.ts'

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
  /** Resolves when what its nodes have said to each other has been heard. */
  settles?(): Promise<void>
  /** Its second node dies, without a goodbye. */
  breaks?(): Promise<void>
  /** It is back, if it was dead. */
  mends?(): Promise<void>
}

/** A server in this process, without main.ts: two seconds until the first scene. */
export async function openOffice(): Promise<House & { readonly office: Office }> {
  const office = await Office.start({ features: await furtherFeatures(), people: [] })
  return {
    office,
    targets: [office.target('plain')],
    ...deeds(() => office),
    [Symbol.asyncDispose]: () => office[Symbol.asyncDispose](),
  }
}

let shared: Promise<House> | undefined

/** The two nodes of this test file: several scripts may play in one file, one after the other, on the same stage. */
export function openSharedNodes(isMortal: boolean): Promise<House> {
  shared ??= isMortal ? openMortalNodes() : openTwoNodes()
  return shared
}

// Registered while the test file is being read: a hook that is added by a running test would never run.
afterAll(async () => {
  const house = await shared
  await house?.[Symbol.asyncDispose]()
}, 60_000)

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
