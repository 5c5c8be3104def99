/** A node of the mesh in a process of its own, which a test can stop and continue: its options come as one line of input, it prints what happens. */
import { json } from 'node:stream/consumers'
import pino from 'pino'
import { type MeshOptions, openMesh } from '../../server/cluster/mesh/mesh.ts'
import { frameKinds } from '../../server/cluster/mesh.ts'

const options = (await json(process.stdin)) as MeshOptions
const mesh = await openMesh({ ...options, log: pino({ level: 'silent' }) })
const say = (what: object) => process.stdout.write(`${JSON.stringify(what)}\n`)
mesh.onFrame(frameKinds.tell, payload => void say({ frame: payload.toString() }))
mesh.onPeer((peer, before) => void say({ before, state: peer.state }))
// Has a node to talk to keep the process alive: the test ends it.
say({ port: mesh.port })
