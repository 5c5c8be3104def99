/** Meshes of one office on loopback, with real certificates: for tests of the mesh and of what stands on it. */
import { createHash, createPublicKey } from 'node:crypto'
import pino from 'pino'
import type { NodeCertificate } from '../../server/cluster/mesh/identity.ts'
import { type MeshOptions, type OpenMesh, openMesh } from '../../server/cluster/mesh/mesh.ts'
import type { Peer, PeerState } from '../../server/cluster/mesh.ts'
import type { KnownNode } from '../../server/cluster/node.ts'
import { type CertifiedKey, createAuthority, issue } from '../../server/net/ca.ts'
import { type Door, openDoor } from './door.ts'

/** Waits of a small office in a hurry. */
export const quick = {
  heartbeatMs: 40,
  suspectMs: 200,
  goneMs: 800,
  frozenMs: 5_000,
  handshakeMs: 1_000,
  dialMs: 500,
  staggerMs: 50,
  retryMinMs: 20,
  retryMaxMs: 200,
  refusedRetryMs: 100,
}

/** A node's certificate, and its record but for the addresses. */
export interface Papers {
  readonly node: Omit<KnownNode, 'addresses'>
  readonly identity: NodeCertificate
}

/** Makes the papers of a node. */
export async function papers(authority: CertifiedKey, number: number): Promise<Papers> {
  const id = `id-${number}`
  const identity = await issue(authority, { name: id, dnsNames: [`${id}.node.invalid`], addresses: [] })
  const spki = createPublicKey(identity.certificate).export({ type: 'spki', format: 'der' })
  const key = createHash('sha256').update(spki).digest('hex')
  return { node: { number, id, name: `pc-${number}`, key }, identity }
}

/** Makes the authority of an office. */
export function authority(name = 'test.example'): Promise<CertifiedKey> {
  return createAuthority(name)
}

/** Opens the mesh of one node. Nobody is known to it until `setNodes`. */
export function open(
  of: Papers,
  office: CertifiedKey,
  more: Partial<MeshOptions> & { epoch?: number } = {},
): Promise<OpenMesh> {
  const { epoch = 1, ...rest } = more
  const { number, id, name } = of.node
  return openMesh({
    self: { number, id, name, epoch, version: '1.0.0', hazelcast: '5.7' },
    listen: { host: '127.0.0.1', port: 0 },
    identity: of.identity,
    authority: office.certificate,
    nodes: [],
    log: pino({ level: 'silent' }),
    timings: quick,
    ...rest,
  })
}

/** The record of a node at a port of the loopback interface; no port: nobody can dial it. */
export function known(of: Papers, port?: number): KnownNode {
  return { ...of.node, addresses: port === undefined ? [] : [`127.0.0.1:${port}`] }
}

/** Resolves when a peer is in a state. */
export function reached(mesh: OpenMesh, name: string, state: PeerState): Promise<Peer> {
  return new Promise(resolve => {
    const look = () => {
      const peer = mesh.peer(name)
      if (peer?.state !== state) return
      end()
      resolve(peer)
    }
    const end = mesh.onPeer(look)
    queueMicrotask(look)
  })
}

/** Writes down the states a peer goes through. */
export function states(mesh: OpenMesh, name: string): PeerState[] {
  const seen: PeerState[] = []
  mesh.onPeer((peer, before) => {
    if (peer.node.name === name && peer.state !== before) seen.push(peer.state)
  })
  return seen
}

/** Two nodes that are linked through a door: the first one dials, the second one can only be dialled. */
export interface Pair extends AsyncDisposable {
  readonly office: CertifiedKey
  readonly papers: readonly [Papers, Papers]
  readonly one: OpenMesh
  readonly two: OpenMesh
  readonly door: Door
}

/** Opens two nodes with a door between them and waits for their link. */
export async function pair(more: Partial<MeshOptions> = {}): Promise<Pair> {
  const office = await authority()
  const [a, b] = await Promise.all([papers(office, 1), papers(office, 2)])
  // Hosts that nobody learns behind the door: it is the only way.
  const one = await open(a, office, { listen: { host: '127.0.0.11', port: 0 }, ...more })
  const two = await open(b, office, { listen: { host: '127.0.0.12', port: 0 }, ...more })
  const door = await openDoor({ host: '127.0.0.12', port: two.port })
  one.setNodes([known(b, door.port)])
  two.setNodes([known(a)])
  await Promise.all([reached(one, 'pc-2', 'up'), reached(two, 'pc-1', 'up')])
  return {
    office,
    papers: [a, b],
    one,
    two,
    door,
    async [Symbol.asyncDispose]() {
      await Promise.all([one.close(), two.close()])
      await door.close()
    },
  }
}
