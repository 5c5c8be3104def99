/** Memory that the server needs for each session that is logged in and silent. */
import type { Appliance } from '../support/appliance.ts'
import { memoryOf } from './accounting.ts'
import type { Account, Target } from './connection.ts'
import { logInAll } from './crowd.ts'

const sessions = 1_000
const settleMs = 3_000

/** Kibibytes for one session: growth of the resident memory from the first hundred sessions to the last, per session. */
export async function measureMemory(appliance: Appliance, target: Target, people: Account[]): Promise<number> {
  // The first logins load code and warm the heap, which is no session's fault.
  for (const connection of await logInAll(target, people, 100)) await connection.close()
  await settle()
  const from = await memoryOf(appliance.pid)
  const connections = await logInAll(target, people, sessions)
  for (const connection of connections) connection.write('<presence/>')
  await settle()
  const to = await memoryOf(appliance.pid)
  for (const connection of connections) connection.destroy()
  return (to - from) / sessions / 1024
}

async function settle(): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, settleMs))
}
