/** The second node of an office in a process of its own: started by two-nodes.ts, ended by a kill. Says one line when people can log in. */
import { text } from 'node:stream/consumers'
import { linked, type NodePlan, openNode } from './cluster-node.ts'
import { known } from './mesh.ts'

const plan = JSON.parse(await text(process.stdin)) as NodePlan & { others: ReturnType<typeof known>[] }
const node = await openNode(plan)
node.mesh.setNodes([...plan.others, known(plan.papers, node.mesh.port)])
for (const { name } of plan.others) await linked(node, name)
process.stdout.write(`${JSON.stringify({ target: node.office.target('plain'), port: node.mesh.port })}\n`)
