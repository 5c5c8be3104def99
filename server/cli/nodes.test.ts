import { expect, test } from 'vitest'
import { allLinked, aNode, aRequest } from '../../test/support/node-desks.ts'
import type { Node } from '../admin/contract/nodes.ts'
import type { Client } from './client.ts'
import { drain, joinCode, nodes } from './nodes.ts'
import { status } from './status.ts'

/** A server that answers these, by path; what it was asked stands in `asked`. */
function serverThat(answers: Record<string, unknown>): { call: Client; asked: string[] } {
  const asked: string[] = []
  const call = async (endpoint: { method: string; path: string }, input?: { params?: unknown }) => {
    asked.push(`${endpoint.method} ${endpoint.path}${input?.params ? ` ${JSON.stringify(input.params)}` : ''}`)
    return answers[endpoint.path]
  }
  return { call: call as Client, asked }
}

async function printed(run: (output: { json: boolean; print: (text: string) => void }) => Promise<number>) {
  const lines: string[] = []
  const code = await run({ json: false, print: text => void lines.push(text) })
  return { code, text: lines.join('\n') }
}

const both = (changes: Partial<Node> = {}): Node[] =>
  allLinked([
    aNode(1, 'front-desk', { people: 2, connections: 3, routes: 4, members: ['front-desk', 'back-office'] }),
    aNode(2, 'back-office', {
      people: 1,
      connections: 1,
      routes: 4,
      members: ['front-desk', 'back-office'],
      ...changes,
    }),
  ])
const ofView = (all: readonly Node[], requests: unknown[] = []) => ({
  '/api/nodes': { sentence: 'Two PCs carry the office.', node: 'front-desk', nodes: all, requests },
})

test('nodes shows each PC: what it carries, where its data is, whom its member and its links see', async () => {
  const { call } = serverThat(ofView(both(), [aRequest(Date.now(), { name: 'library' })]))
  expect(await printed(output => nodes(call, { name: 'nodes', json: false, isDiscovery: false }, output))).toEqual({
    code: 0,
    text: `Two PCs carry the office.
✓ front-desk (this PC): Works.
    version 0.0.0-test, 2 people on 3 devices, knows 4 routes
    main database; Hazelcast member 5.7.0 with back-office
    links: back-office 0.4 ms
✓ back-office: Works.
    version 0.0.0-test, 1 person on 1 device, knows 4 routes
    main database on front-desk; Hazelcast member 5.7.0 with front-desk
    links: front-desk 0.4 ms
? library (192.168.1.31) wants to join: 4827 · blue otter`,
  })
})

test('nodes shows what is wrong: a PC that is off, a link that is cut, a Hazelcast that has split', async () => {
  const [one, two] = both() as [Node, Node]
  const away = { ...aNode(3, 'workshop', { state: 'off', sentence: 'Is off since 10:04.' }) }
  const { version: _version, ...off } = away
  const split = {
    ...two,
    members: ['back-office'],
    membersMissing: ['front-desk'],
    links: [{ to: 'front-desk', state: 'cut' as const }],
  }
  const { call } = serverThat(ofView([one, split, off]))
  const { code, text } = await printed(output =>
    nodes(call, { name: 'nodes', json: false, isDiscovery: false }, output),
  )
  expect(code).toBe(1)
  expect(text).toContain('Hazelcast member 5.7.0 alone, split from front-desk\n    links: front-desk cut')
  expect(text).toContain('✕ workshop: Is off since 10:04.\n    main database on front-desk')
})

test('nodes --discover shows what announces itself', async () => {
  const found = { name: 'front-desk', address: '192.168.1.20:5275', version: '0.1.0', seenAt: '' }
  const offices = [{ officeId: '1', office: 'ACME', domain: 'acme.lan', own: true, people: 12, nodes: [found] }]
  const command = { name: 'nodes', json: false, isDiscovery: true } as const
  const path = '/api/nodes/discovered'
  expect(await printed(output => nodes(serverThat({ [path]: { offices } }).call, command, output))).toEqual({
    code: 0,
    text: 'ACME (acme.lan), this office: 12 people\n  front-desk at 192.168.1.20:5275, version 0.1.0',
  })
  expect((await printed(output => nodes(serverThat({ [path]: { offices: [] } }).call, command, output))).text).toBe(
    'Nothing announces itself on this network.',
  )
})

test('join-code prints the code alone; drain takes out this PC or another, and puts it back', async () => {
  const made = { id: '1', code: 'ACME-7Q4K', expiresAt: '' }
  expect((await printed(output => joinCode(serverThat({ '/api/nodes/join-code': made }).call, output))).text).toBe(
    'ACME-7Q4K',
  )
  const answers = { ...ofView(both()), '/api/nodes/:name/drain': { moved: 2, left: 1 } }
  const { call, asked } = serverThat(answers)
  const drained = (command: { node?: string; isResumed: boolean }) =>
    printed(output => drain(call, { name: 'drain', json: false, ...command }, output))
  expect((await drained({ isResumed: false })).text).toBe(
    'front-desk is taken out: 2 devices moved to other PCs; 1 device had to connect again. Back at once with --resume.',
  )
  expect((await drained({ node: 'back-office', isResumed: true })).text).toBe('People can log in on back-office again.')
  expect(asked).toEqual([
    'GET /api/nodes',
    'POST /api/nodes/:name/drain {"name":"front-desk"}',
    'POST /api/nodes/:name/resume {"name":"back-office"}',
  ])
})

test('status says how the office is, and shows its PCs as nodes does', async () => {
  const figures = { peopleOnline: 2, people: 4, messagesToday: 7, slowestMs: 1.5, storedBytes: 8e6, diskFreeBytes: 2e9 }
  const { call } = serverThat({
    '/api/home': {
      ...{ state: 'ok', headline: 'Everything works', sentence: 'Two PCs carry the office.' },
      ...{ figures, pcs: both() },
    },
    '/api/session': { office: 'ACME', domain: 'acme.lan', pc: 'front-desk', version: '0.1.0' },
  })
  const { code, text } = await printed(output => status(call, output))
  expect(code).toBe(0)
  expect(text).toMatch(
    /^✓ Everything works\. Two PCs carry the office\.\n {2}ACME \(acme\.lan\) on front-desk, version/,
  )
  expect(text).toContain('7 messages today, the slowest in 1.5 ms')
  expect(text.match(/Hazelcast member 5\.7\.0 with /g)).toHaveLength(2)
  expect(text).toContain('links: back-office 0.4 ms')
})
