/** What a joiner is given goes into its data folder: authority, certificate, secrets, who the others are; node.json comes last, from then on it belongs to the office. */
import { mkdir } from 'node:fs/promises'
import net from 'node:net'
import { KnownNodes } from '../cluster/known-nodes.ts'
import type { Applicant, Welcome } from '../cluster/welcome.ts'
import type { ClusterConfig, Listen } from '../config.ts'
import { writeDurably } from '../durable-file.ts'
import type { DataFolder } from '../node.ts'
import { urlOf } from './database-place.ts'
import { openLinkKey } from './link-key.ts'
import { clusterAddresses } from './open-cluster.ts'
import { systemName } from './status.ts'

/** Who this PC is to an office that it wants to join. */
export async function applicantOf(options: {
  folder: DataFolder
  name: string
  listen: Listen
  version: string
  hazelcast: string | undefined
}): Promise<Applicant> {
  const { folder, name, listen, version, hazelcast } = options
  const { publicKey } = await openLinkKey(folder.file('certificates'))
  return {
    id: folder.state.nodeId,
    name,
    system: systemName(),
    version,
    hazelcast,
    publicKey,
    addresses: clusterAddresses(listen.host, listen.cluster),
  }
}

/** The cluster port must be known before it is open: others are told of it. @param listen port 0: a free one is chosen for good */
export async function withClusterPort(listen: Listen): Promise<Listen> {
  if (listen.cluster !== 0) return listen
  const server = net.createServer()
  const port = await new Promise<number>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, listen.host, () => {
      const address = server.address()
      resolve(typeof address === 'object' && address ? address.port : 0)
    })
  })
  await new Promise(resolve => server.close(resolve))
  return { ...listen, cluster: port }
}

/** Makes a data folder that of a node of the office. On disk when it resolves. @throws Error of node when the disk refuses */
export async function settleIn(options: {
  folder: DataFolder
  welcome: Welcome
  listen: Listen
  cluster: Omit<ClusterConfig, 'token'>
  tls?: { certificate: string; key: string } | undefined
}): Promise<void> {
  const { folder, welcome, listen, cluster, tls } = options
  const certificates = folder.file('certificates')
  await mkdir(certificates, { recursive: true, mode: 0o700 })
  await writeDurably(folder.file('certificates', 'office-ca.key'), welcome.authority.key)
  await writeDurably(folder.file('certificates', 'office-ca.pem'), welcome.authority.certificate)
  await writeDurably(folder.file('certificates', 'link.pem'), welcome.certificate)
  const { nodes, database, number, name } = welcome
  const known = new KnownNodes(folder.file('office-nodes.json'), undefined)
  await known.save({ format: 1, self: number, nodes, database })
  const owner = database.kind === 'embedded' ? nodes.find(node => node.number === database.node)?.name : undefined
  await folder.saveSecrets({ ...welcome.secrets, 'database-url': urlOf(database, owner) })
  await folder.update({
    nodeName: name,
    office: welcome.office,
    domain: welcome.domain,
    listen,
    cluster: { ...cluster, enabled: true },
    tls,
  })
}
