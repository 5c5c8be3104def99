// A PC without chat: mesh and Hazelcast only, in a process of its own, so that it can stand on a network of its own. Takes its papers as a file,
// commands line by line ("put KEY VALUE", "remove KEY"), and tells what it sees as lines of JSON.
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import pino from 'pino'
import { startHazelcast } from '../../server/cluster/hazelcast/hazelcast.ts'
import { hazelcastDefaults } from '../../server/cluster/hazelcast/settings.ts'
import { openMesh } from '../../server/cluster/mesh/mesh.ts'
import type { KnownNode } from '../../server/cluster/node.ts'

/** What the file says. */
export interface PcPapers {
  readonly number: number
  readonly identity: { readonly certificate: string; readonly key: string }
  readonly authority: string
  readonly address: string
  readonly nodes: readonly KnownNode[]
  readonly dataDir: string
  /** An own Hazelcast configuration in the data folder. */
  readonly configFile: string
}

/** What it sees. */
export interface PcView {
  readonly peers: readonly string[]
  readonly members: readonly number[]
  readonly seen: Record<string, string>
  readonly memberPid: number | undefined
}

if (process.argv[2] !== undefined) await runPc(JSON.parse(await readFile(process.argv[2], 'utf8')) as PcPapers)

async function runPc(papers: PcPapers): Promise<void> {
  const log = pino({ level: 'info' }, pino.destination(`${papers.dataDir}/log`))
  const self = papers.nodes.find(node => node.number === papers.number)
  if (!self) throw new Error('It is not among the nodes.')
  const mesh = await openMesh({
    self: { ...self, epoch: 1, version: '1.0.0', hazelcast: '5.7' },
    listen: { host: papers.address, port: 5275 },
    identity: papers.identity,
    authority: papers.authority,
    nodes: papers.nodes,
    timings: { suspectMs: 1_000, goneMs: 3_000, retryMaxMs: 500 },
    log,
  })
  const hazelcast = await startHazelcast({
    dataDir: papers.dataDir,
    self: mesh.self,
    mesh,
    portBase: 5710,
    clusterSecret: 'a secret that nobody guesses',
    settings: { ...hazelcastDefaults, configFile: papers.configFile },
    log,
    nodes: () => papers.nodes,
  })
  const seen = new Map<string, string>()
  const tell = (): void => {
    const view: PcView = {
      peers: mesh.peers.map(peer => peer.state),
      members: hazelcast.members,
      seen: Object.fromEntries(seen),
      memberPid: hazelcast.figures()?.pid,
    }
    process.stdout.write(`${JSON.stringify(view)}\n`)
  }
  const own = new Map<string, string>()
  hazelcast.map.follow({
    all(entries) {
      seen.clear()
      for (const [key, value] of entries) seen.set(key, value)
      for (const [key, value] of own) if (entries.get(key) !== value) hazelcast.map.put(key, value)
      tell()
    },
    put(key, value) {
      seen.set(key, value)
      tell()
    },
    remove(key) {
      seen.delete(key)
      tell()
    },
  })
  hazelcast.onMembers(tell)
  mesh.onPeer(tell)
  const lines = createInterface({ input: process.stdin })
  lines.on('line', line => {
    const [command, key = '', value = ''] = line.split(' ')
    if (command === 'put') {
      own.set(key, value)
      hazelcast.map.put(key, value)
    } else {
      own.delete(key)
      hazelcast.map.remove(key)
    }
  })
  lines.on('close', async () => {
    await hazelcast.close()
    await mesh.close()
    process.exit(0)
  })
}
