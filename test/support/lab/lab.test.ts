import { expect, test } from 'vitest'
import { canRun } from '../../faults/processes.ts'
import { canMakeNetworks, Lab } from './lab.ts'

const pings = (from: readonly string[], to: string): boolean => {
  const [program = 'ip', ...rest] = from
  const script = `const s=require('net').connect(9,'${to}');s.on('error',e=>process.exit(e.code==='ECONNREFUSED'?0:1));setTimeout(()=>process.exit(1),700)`
  return canRun(program, [...rest, process.execPath, '-e', script])
}

test.skipIf(!canMakeNetworks)(
  'PCs of a lab reach each other, until a cable is pulled, and again when it is back',
  async () => {
    await using lab = Lab.open(2)
    const [one, two] = lab.hosts
    if (!one || !two) throw new Error('two PCs were asked for')
    expect(pings(one.through, two.address)).toBe(true)
    lab.cut(two)
    expect(pings(one.through, two.address)).toBe(false)
    lab.heal(two)
    await expect.poll(() => pings(one.through, two.address), { timeout: 5_000 }).toBe(true)
  },
)
