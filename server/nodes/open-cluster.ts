/** From a data folder to an open cluster port: who this node is, its certificate, the mesh, the bus and the directory on it. */
import type { Logger } from 'pino'
import type { Bus } from '../cluster/bus.ts'
import type { KnownNodes } from '../cluster/known-nodes.ts'
import { type OpenMesh, openMesh } from '../cluster/mesh/mesh.ts'
import { meshBus } from '../cluster/mesh-bus.ts'
import type { SelfNode } from '../cluster/node.ts'
import { type SharedDirectory, sharedDirectory } from '../cluster/shared-directory.ts'
import { addressesOf } from '../host.ts'
import type { CertifiedKey } from '../net/ca.ts'
import type { DataFolder } from '../node.ts'
import { listenFault } from '../opening.ts'
import { linkCertificate, openLinkKey } from './link-key.ts'

/** How often the certificate of the links is looked at. */
const RENEW_MS = 3_600_000

/** What is there before the database can be reached. */
export interface Ground {
  readonly self: SelfNode
  readonly mesh: OpenMesh
  readonly bus: Bus
  readonly directory: SharedDirectory
  /** Where this node is reached, best first. */
  addresses(): string[]
  close(): Promise<void>
}

/**
 * Opens it. The folder must know its office (`known.content`).
 * @throws ListenFault
 */
export async function openGround(options: {
  folder: DataFolder
  known: KnownNodes
  authority: CertifiedKey
  listen: { host: string; port: number }
  version: string
  hazelcast: string | undefined
  log: Logger
}): Promise<Ground> {
  const { folder, known, authority, listen, log } = options
  const { content } = known
  const me = content?.nodes.find(({ number }) => number === content.self)
  if (!content || !me) throw new Error('The data folder does not say which PC of its office it is.')
  const { nodeId, epoch } = folder.state
  const self: SelfNode = {
    number: me.number,
    id: nodeId,
    name: me.name,
    epoch,
    version: options.version,
    hazelcast: options.hazelcast,
  }
  const certificates = folder.file('certificates')
  const key = await openLinkKey(certificates)
  const { certificate } = await linkCertificate(certificates, authority, nodeId, key)
  const open = (port: number): Promise<OpenMesh> =>
    openMesh({
      self,
      listen: { host: listen.host, port },
      identity: { certificate, key: key.key },
      authority: authority.certificate,
      nodes: content.nodes,
      log: log.child({ part: 'mesh' }),
    })
  const mesh = await openAt(listen, open)
  const bus = meshBus(mesh, log)
  const directory = sharedDirectory({ node: self.name, bus, log })
  const renewing = setInterval(() => {
    linkCertificate(certificates, authority, nodeId, key)
      .then(found => {
        if (found.isNew) mesh.setIdentity({ certificate: found.certificate, key: key.key })
      })
      .catch((err: unknown) => log.error({ err }, 'the certificate for the links was not renewed'))
  }, RENEW_MS)
  renewing.unref()
  return {
    self,
    mesh,
    bus,
    directory,
    addresses: () => clusterAddresses(listen.host, mesh.port),
    async close() {
      clearInterval(renewing)
      directory.close()
      await mesh.close()
    },
  }
}

async function openAt(
  listen: { host: string; port: number },
  open: (port: number) => Promise<OpenMesh>,
): Promise<OpenMesh> {
  try {
    return await open(listen.port)
  } catch (error) {
    throw listenFault(error, 'cluster', listen.port, listen.host)
  }
}

/** Where a cluster port is reached: 'host:port', IPv6 in brackets. */
export function clusterAddresses(host: string, port: number): string[] {
  return addressesOf(host)
    .map(address => (address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`))
    .slice(0, 16)
}
