import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { authority, known, open, papers, quick, reached, states } from '../../../test/support/mesh.ts'
import { frameKinds } from '../mesh.ts'

const program = fileURLToPath(new URL('../../../test/support/mesh-process.ts', import.meta.url))

test('a process that was stopped handles nothing of what came meanwhile, and begins anew', async () => {
  const timings = { ...quick, suspectMs: 400, goneMs: 1_200, frozenMs: 600 }
  const office = await authority()
  const [a, b] = await Promise.all([papers(office, 1), papers(office, 2)])
  const one = await open(a, office, { timings: { ...timings, frozenMs: 5_000 } })
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(process.execPath, [program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  try {
    const said: { port?: number; frame?: string; state?: string }[] = []
    const lines = createInterface({ input: child.stdout })
    lines.on('line', line => void said.push(JSON.parse(line)))
    const self = { number: 2, id: 'id-2', name: 'pc-2', epoch: 1, version: '1.0.0' }
    const listen = { host: '127.0.0.1', port: 0 }
    const nodes = [known(a)]
    child.stdin.end(
      JSON.stringify({ self, listen, identity: b.identity, authority: office.certificate, nodes, timings }),
    )
    await once(lines, 'line')
    one.setNodes([known(b, said[0]?.port)])
    await reached(one, 'pc-2', 'up')
    const story = states(one, 'pc-2')
    const tell = (words: string) =>
      new Promise<string>(resolve => one.send('pc-2', frameKinds.tell, Buffer.from(words), resolve))
    expect(await tell('before')).toBe('done')

    child.kill('SIGSTOP')
    // It is in the buffers of its socket: what it must not handle when it goes on.
    const meanwhile = tell('meanwhile')
    await reached(one, 'pc-2', 'gone')
    expect(await meanwhile).toBe('lost')
    child.kill('SIGCONT')
    await reached(one, 'pc-2', 'up')
    expect(await tell('after')).toBe('done')
    expect(story).toEqual(['suspected', 'gone', 'up'])
    await expect.poll(() => said.at(-1)).toEqual({ frame: 'after' })
    expect(said.flatMap(({ frame }) => frame ?? [])).toEqual(['before', 'after'])
    expect(said.flatMap(({ state }) => state ?? [])).toEqual(['up', 'gone', 'up'])
  } finally {
    child.kill('SIGKILL')
    await one.close()
  }
})
