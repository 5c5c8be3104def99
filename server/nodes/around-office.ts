/** The beacon of an open office says that this PC is there, and hears the others. */
import { officeIdOf } from '../cluster/pairing/office-id.ts'
import { TOKEN_SECRET } from './membership.ts'
import type { OfficeCluster } from './office-cluster.ts'
import type { ClusterSettings } from './settings.ts'
import { Surroundings } from './surroundings.ts'

/** Announces this node; those of the own office that are heard are dialled at once. */
export function aroundOffice(cluster: OfficeCluster, settings: ClusterSettings): Surroundings {
  const { mesh, self } = cluster.ground
  const { authority, listen, cluster: configured, folder, log, version } = cluster.options
  const around = new Surroundings({
    ...{ nodeId: self.id, version, log, host: listen.host, cluster: configured, settings },
    token: folder.secret(TOKEN_SECRET),
    officeId: () => officeIdOf(authority.certificate),
    onOwnNode: ({ nodeId, address }) => {
      const node = cluster.membership.nodes.find(({ id }) => id === nodeId)
      if (node && node.number !== self.number) mesh.wake(node.number, address)
    },
  })
  around.announce({
    authority,
    announcement: () => ({
      ...{ nodeId: self.id, name: self.name, epoch: self.epoch, port: mesh.port, version },
      ...(self.hazelcast !== undefined && { hazelcast: self.hazelcast }),
    }),
  })
  return around
}
