import { balancerSnippets } from '../../snippets/balancers.ts'
import type { RouteParts } from '../admin.ts'
import {
  answerJoin,
  discoverNodes,
  drainNode,
  dropJoinCode,
  getNodes,
  listNodeSnippets,
  makeJoinCode,
  removeNode,
  restartNode,
  resumeNode,
  setCluster,
} from '../contract/nodes.ts'
import { refusal } from '../problem.ts'
import { type Call, callerOf, type Desk } from '../serve.ts'
import { handedOver } from '../words.ts'

type Asked = Pick<Call<unknown>, 'request'>

export function nodeRoutes(desk: Desk, { office }: RouteParts): void {
  const nodes = () => office().parts.nodes
  const by = (call: Asked): string => callerOf(call).name
  const note = async (call: Asked, sentence: string): Promise<void> => {
    const { name, address } = callerOf(call)
    await office().history.add({ by: name, kind: 'pc', sentence, address })
  }

  desk.serve(getNodes, () => {
    const { enabled, node, sentence, nodes: all, requests, codes, clusterPort } = nodes()
    return {
      enabled,
      node,
      sentence,
      nodes: all.slice(0, 64),
      requests: requests.slice(0, 8),
      codes: codes.slice(0, 16),
      happened: office().happenings.latestOf('pcs'),
      ...(clusterPort !== undefined && { clusterPort }),
    }
  })

  desk.serve(listNodeSnippets, () => ({ snippets: balancerSnippets(office().parts.domain, nodes().places) }))

  desk.serve(setCluster, async call => {
    const { enabled } = call.body
    if (enabled === nodes().enabled) return {}
    await nodes().setEnabled(enabled, by(call))
    await note(
      call,
      enabled ? 'Other PCs can join the office from now on.' : 'No other PC can join the office any more.',
    )
    return {}
  })

  desk.serve(makeJoinCode, async call => {
    const made = await nodes().makeJoinCode(by(call))
    await note(call, 'Made a join code for one PC.')
    return made
  })

  desk.serve(dropJoinCode, async call => {
    await nodes().dropJoinCode(call.params.id)
    await note(call, 'Took a join code back.')
    return {}
  })

  desk.serve(answerJoin, async call => {
    const request = nodes().requests.find(one => one.id === call.params.id)
    await nodes().answerJoin(call.params.id, call.body.accept, by(call))
    const name = request?.name ?? 'a PC'
    const from = request ? ` (${request.address})` : ''
    await note(call, call.body.accept ? `Let ${name}${from} into the office.` : `Refused ${name}${from}.`)
    return {}
  })

  desk.serve(discoverNodes, async () => ({ offices: (await nodes().discover()).slice(0, 32) }))

  desk.serve(drainNode, async call => {
    const { name } = call.params
    const done = await nodes().drain(name, by(call))
    await note(call, `Took ${name} out for maintenance: ${handedOver(done)}.`)
    return done
  })

  desk.serve(resumeNode, async call => {
    await nodes().resume(call.params.name, by(call))
    await note(call, `Put ${call.params.name} back to work.`)
    return {}
  })

  desk.serve(restartNode, async call => {
    const { name } = call.params
    // Written down first: this PC may be the one that is restarted.
    if (!nodes().nodes.some(node => node.name === name)) throw nobody(name)
    await note(call, `Restarted chat on ${name}.`)
    await nodes().restart(name, by(call))
    return {}
  })

  desk.serve(removeNode, async call => {
    const { name } = call.params
    const node = nodes().nodes.find(one => one.name === name)
    if (!node) throw nobody(name)
    if (call.body.typed.trim().toLowerCase() !== name.toLowerCase())
      throw refusal('refused', `Type ${name} to remove it from the office.`, { field: 'typed' })
    if (!node.canRemove) throw refusal('refused', node.whyNotRemove ?? `${name} cannot be removed now.`)
    await nodes().remove(name, by(call))
    await note(call, `Removed ${name} from the office for good.`)
    return {}
  })
}

const nobody = (name: string) => refusal('not-found', `There is no PC called ${name} in this office.`)
