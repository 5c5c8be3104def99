/** When the PCs of a lab noticed what happened to another one, as their logs tell it. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { LabNode } from '../support/lab/office.ts'

interface Line {
  readonly time: number
  readonly msg?: string
  readonly node?: string
  readonly state?: string
  readonly members?: readonly number[]
}

/**
 * “pc-1: pc-2 suspected after 3 ms, gone after 420 ms, 2 members after 400 ms, 3 members after 8100 ms”, one for each of `nodes`.
 * @param from when it happened, milliseconds since 1970
 */
export async function noticed(nodes: readonly LabNode[], from: number): Promise<string> {
  const all = await Promise.all(nodes.map(async node => ({ name: node.name, said: await saidSince(node, from) })))
  const told = all.filter(({ said }) => said.length > 0).map(({ name, said }) => `${name}: ${said.join(', ')}`)
  return told.length === 0 ? 'nobody noticed' : told.join('; ')
}

async function saidSince({ appliance }: LabNode, from: number): Promise<string[]> {
  const text = await readFile(path.join(appliance.dataDir, 'logs', 'lanthorn.log'), 'utf8')
  const lines = text
    .split('\n')
    .filter(line => line.endsWith('}')) // the last one may be half written
    .map(line => JSON.parse(line) as Line)
  return lines.flatMap(({ time, msg, node, state, members }) => {
    if (time < from) return []
    const after = `after ${time - from} ms`
    if (msg === 'link to another PC changed') return [`${node} ${state} ${after}`]
    if (msg === 'members of the Hazelcast cluster changed') return [`${members?.length} members ${after}`]
    return []
  })
}
