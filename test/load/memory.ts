/** Memory that the server needs for each session that is logged in and silent. */
import type { Appliance } from '../support/appliance.ts'
import { memoryOf } from './accounting.ts'
import type { Account, Target } from './connection.ts'
import { logInAll } from './crowd.ts'

const sessions = 1_000
/** So few at once that they are no measurable memory themselves. */
const batch = 50
const settleMs = 3_000

/** Kibibytes for one session: how much the resident memory grows by a thousand of them, after as many have come and gone. */
export async function measureMemory(appliance: Appliance, target: Target, people: Account[]): Promise<number> {
  // What logging in needs for a moment, and the heap keeps, is no session's own.
  for (let times = 0; times < sessions; times += batch) {
    for (const connection of await logInAll(target, people, batch)) await connection.close()
  }
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
