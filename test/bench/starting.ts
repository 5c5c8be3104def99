/** Start-up, from the command to the first possible login: on an empty folder, and again with what the first start has made. */
import { startAppliance } from '../support/appliance.ts'
import { wholeCpuOf } from './accounting.ts'

export interface StartCost {
  /** Seconds on the clock until `ready`. */
  wall: number
  /** CPU seconds of everything until then. */
  cpu: number
}

export async function measureStart(): Promise<{ first: StartCost; second: StartCost }> {
  let from = performance.now()
  await using appliance = await startAppliance()
  const first = await cost(from, appliance.pid)
  await appliance.stop()
  from = performance.now()
  await appliance.start()
  return { first, second: await cost(from, appliance.pid) }
}

async function cost(from: number, pid: number): Promise<StartCost> {
  return { wall: (performance.now() - from) / 1_000, cpu: (await wholeCpuOf(pid)) / 1_000 }
}
