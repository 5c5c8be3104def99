import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { canRun } from '../../faults/processes.ts'
import { canMakeNetworks, canSever, Lab, type LabHost } from './lab.ts'

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

test.skipIf(!canMakeNetworks)('two PCs of a lab lose each other while both reach the third', async () => {
  await using lab = Lab.open(3)
  const [one, two, three] = lab.hosts as [LabHost, LabHost, LabHost]
  lab.silence(one, two)
  expect(pings(one.through, two.address)).toBe(false)
  expect(pings(two.through, one.address)).toBe(false)
  expect(pings(one.through, three.address)).toBe(true)
  expect(pings(two.through, three.address)).toBe(true)
  lab.unsilence(one, two)
  expect(pings(one.through, two.address)).toBe(true)
})

test.skipIf(!canMakeNetworks || !canSever())('connections at one port break at once, others stay', async () => {
  await using lab = Lab.open(2)
  const [one, two] = lab.hosts as [LabHost, LabHost]
  const on = ({ through: [program = 'ip', ...rest] }: LabHost, script: string) =>
    spawn(program, [...rest, process.execPath, '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const server = on(
    two,
    "const n=require('net');for(const p of[71,72])n.createServer(s=>s.on('error',()=>{})).listen(p);console.log('ready')",
  )
  await once(server.stdout, 'data')
  const client = on(
    one,
    `let open=0;for(const p of[71,72])require('net').connect(p,'${two.address}',()=>{if(++open===2)console.log('open')}).on('error',e=>console.log(p,e.code)).on('close',()=>console.log(p,'closed'))`,
  )
  try {
    let said = ''
    client.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    await expect.poll(() => said).toBe('open\n')
    expect(lab.sever(two, one, 71)).toBe(1)
    await expect.poll(() => said).toContain('71 closed')
    expect(lab.sever(two, one, 71)).toBe(0)
    expect(said).not.toContain('72')
  } finally {
    for (const one of [client, server]) one.kill()
  }
})
