/** `lanthorn nodes`, `join-code` and `drain`: the PCs of the office. */
import { pauseHere } from '../admin/contract/desktop.ts'
import {
  discoverNodes,
  drainNode,
  getNodes,
  makeJoinCode,
  type Node,
  type NodeState,
  resumeNode,
} from '../admin/contract/nodes.ts'
import { counted, handedOver } from '../admin/words.ts'
import type { Client } from './client.ts'
import type { DrainCommand, NodesCommand } from './parse-nodes.ts'

interface Output {
  readonly json: boolean
  readonly print: (text: string) => void
}

const stateMarks: Record<NodeState, string> = { on: '✓', starting: '…', paused: '…', away: '!', off: '✕' }

/** Who carries the office, or who announces itself around here. @returns exit code 1 when a PC is missing @throws CallFault */
export async function nodes(call: Client, command: NodesCommand, { json, print }: Output): Promise<number> {
  if (command.isDiscovery) {
    const { offices } = await call(discoverNodes)
    if (json) print(JSON.stringify(offices))
    else if (offices.length === 0) print('Nothing announces itself on this network.')
    for (const { office, domain, own, people, nodes: found } of json ? [] : offices) {
      print(`${office} (${domain})${own ? ', this office' : ''}: ${people} people`)
      for (const one of found) print(`  ${one.name} at ${one.address}, version ${one.version}`)
    }
    return 0
  }
  const view = await call(getNodes)
  if (json) print(JSON.stringify(view))
  else {
    print(view.sentence)
    for (const node of view.nodes) print(nodeLines(node).join('\n'))
    for (const { name, address, code } of view.requests) print(`? ${name} (${address}) wants to join: ${code}`)
  }
  return view.nodes.every(({ state }) => state === 'on' || state === 'paused') ? 0 : 1
}

/** One PC: how it is, what it carries, how it sees the others. */
export function nodeLines(node: Node): string[] {
  const { name, state, sentence, here, people, connections, routes, version, member, hazelcast } = node
  const role = { main: 'main database', outside: 'own PostgreSQL servers', through: 'main database' }[node.database]
  const where = node.database === 'through' ? `${role} on ${node.databaseOf ?? 'another PC'}` : role
  const first = `${stateMarks[state]} ${name}${here ? ' (this PC)' : ''}: ${sentence}`
  if (version === undefined) return [first, `    ${where}`]
  const links = node.links.map(({ to, state: link, roundTripMs }) =>
    link === 'cut' ? `${to} cut` : `${to} ${roundTripMs === undefined ? link : `${roundTripMs.toFixed(1)} ms`}`,
  )
  return [
    first,
    `    version ${version}, ${counted(people, 'person').replace(/persons$/, 'people')} on ${counted(connections, 'device')}, knows ${counted(routes, 'route')}`,
    `    ${where}; Hazelcast ${member}${hazelcast === undefined ? '' : ` ${hazelcast}`}${membersOf(node)}`,
    ...(links.length > 0 ? [`    links: ${links.join(', ')}`] : []),
  ]
}

/** Whom its member sees: nobody says that of one that does not run. */
function membersOf({ name, members, membersMissing = [] }: Node): string {
  if (!members) return ''
  const others = members.filter(one => one !== name)
  const seen = others.length > 0 ? ` with ${others.join(', ')}` : ' alone'
  return membersMissing.length > 0 ? `${seen}, split from ${membersMissing.join(', ')}` : seen
}

/** Makes a one-use join code. @throws CallFault */
export async function joinCode(call: Client, { json, print }: Output): Promise<number> {
  const made = await call(makeJoinCode)
  print(json ? JSON.stringify(made) : made.code)
  return 0
}

/** Takes a PC out for maintenance, or puts it back. @throws CallFault */
export async function drain(call: Client, command: DrainCommand, { json, print }: Output): Promise<number> {
  const name = command.node ?? (await call(getNodes)).node
  if (command.isResumed) {
    await call(resumeNode, { params: { name } })
    print(json ? JSON.stringify({ name }) : `People can log in on ${name} again.`)
    return 0
  }
  const { minutes } = command
  const done =
    minutes === undefined ? await call(drainNode, { params: { name } }) : await call(pauseHere, { body: { minutes } })
  const time = minutes === undefined ? '' : ` for ${counted(minutes, 'minute')}`
  print(
    json
      ? JSON.stringify({ name, ...done })
      : `${name} is taken out${time}: ${handedOver(done)}. Back at once with --resume.`,
  )
  return 0
}
