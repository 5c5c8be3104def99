/** One office on several PCs that are all this computer: appliances on loopback, each with a cluster port of its own. */
import { randomBytes } from 'node:crypto'
import { getNodes } from '../../server/admin/contract/nodes.ts'
import { type Client, connect } from '../../server/cli/client.ts'
import { type Appliance, type ApplianceConfig, startAppliance } from './appliance.ts'
import { eventually, quietPort } from './postgres-server.ts'

/** Chat over the links alone: a Java for each would take the time that these tests do not have. */
export const withoutJava = { LANTHORN_TEST_NO_HAZELCAST: '1' }

/**
 * What fresh appliances with one autosetup file have in common.
 * @param hosts an address of this computer for each, then all have the same cluster port; without them each has a port of its own
 */
export async function tokenConfigs(names: readonly string[], hosts?: readonly string[]): Promise<ApplianceConfig[]> {
  const token = randomBytes(24).toString('hex')
  const shared = await quietPort()
  const places = await Promise.all(
    names.map(async (_, index) => ({
      host: hosts?.[index] ?? '127.0.0.1',
      cluster: hosts ? shared : await quietPort(),
    })),
  )
  const peers = places.map(({ host, cluster }) => `${host}:${cluster}`)
  const discovery = { port: await quietPort() }
  return names.map((node, index) => ({
    node,
    listen: { ...places[index] },
    cluster: { enabled: true, token, peers, discovery },
    settings: { 'passwords.iterations': 4096 },
  }))
}

export function startWith(config: ApplianceConfig, env: Record<string, string> = withoutJava): Promise<Appliance> {
  return startAppliance({ config, env, host: config.listen?.host ?? '127.0.0.1' })
}

/** What one PC shows of all. */
export async function viewOf(appliance: Appliance) {
  return (await adminOf(appliance))(getNodes)
}

export function adminOf(appliance: Appliance): Promise<Client> {
  return connect(appliance.dataDir)
}

/** Resolves when every one of these sees exactly them, and all on. */
export async function isWhole(appliances: readonly Appliance[], limitMs = 30_000): Promise<void> {
  const names = appliances.map(({ ready }) => ready.node).toSorted()
  for (const appliance of appliances) {
    let seen = ''
    await eventually(
      `${appliance.ready.node} to see ${names.join(', ')} at work`,
      async () => {
        const { nodes } = await viewOf(appliance)
        seen = nodes.map(({ name, state }) => `${name} ${state}`).join(', ')
        return nodes.length === names.length && nodes.every(({ name, state }) => names.includes(name) && state === 'on')
      },
      limitMs,
    ).catch(error => {
      throw new Error(`${error.message}; it sees ${seen}`, { cause: error })
    })
  }
}

/** Resolves when the Hazelcast member of each sees those of all. */
export async function untilMembers(appliances: readonly Appliance[], limitMs = 60_000): Promise<void> {
  for (const appliance of appliances) {
    await eventually(
      `the member of ${appliance.ready.node} to see those of all`,
      async () => (await viewOf(appliance)).nodes.every(({ members }) => members?.length === appliances.length),
      limitMs,
    )
  }
}
