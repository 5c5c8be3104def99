/** Logins one after the other, a few at once: connect, SCRAM, bind, goodbye. */
import type { Appliance } from '../support/appliance.ts'
import { cpuOf } from './accounting.ts'
import { type Account, Connection, type Target } from './connection.ts'
import type { Mechanism } from './scram.ts'

const logins = 500
const atOnce = 10

export interface LoginCost {
  /** Milliseconds of CPU for one login and logout. */
  server: number
  postgres: number
}

export async function measureLogins(
  appliance: Appliance,
  target: Target,
  people: Account[],
  mechanism: Mechanism,
): Promise<LoginCost> {
  // Both sides get warm, and the client has done its slow hash of each password before the clock starts.
  await logInAndOut(target, people, mechanism, logins)
  const from = await cpuOf(appliance.pid)
  await logInAndOut(target, people, mechanism, logins)
  const to = await cpuOf(appliance.pid)
  return { server: (to.server - from.server) / logins, postgres: (to.postgres - from.postgres) / logins }
}

async function logInAndOut(target: Target, people: Account[], mechanism: Mechanism, times: number): Promise<void> {
  let next = 0
  const one = async () => {
    while (next < times) {
      const index = next++
      const account = people[index % people.length]
      if (!account) throw new Error('a crowd needs people')
      const connection = await Connection.open(target, account, `r${index}`, mechanism)
      await connection.close()
    }
  }
  await Promise.all(Array.from({ length: atOnce }, one))
}
