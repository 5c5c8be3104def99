/** Numbers for monitoring, of the PCs: how this one sees the others, and what its Hazelcast member costs. */
import type { Registry } from 'prom-client'
import type { PeerState } from '../cluster/mesh.ts'
import type { NodeFigures, NodesDesk } from './parts.ts'
import { counter, gauge, gauges, type Series } from './series.ts'

const linkStates: readonly PeerState[] = ['up', 'suspected', 'gone', 'away']

/** Adds the series of an open office, in place of those of one that was closed. */
export function measureNodes(registry: Registry, desk: NodesDesk): void {
  gauge(registry, { name: 'pcs', help: 'PCs of the office.' }, () => desk.nodes.length)
  gauge(
    registry,
    { name: 'pcs_on', help: 'PCs of the office that take people, as this one knows.' },
    () => desk.nodes.filter(({ state }) => state === 'on').length,
  )
  measureLinks(registry, desk)
  measureMember(registry, desk)
}

function measureLinks(registry: Registry, desk: NodesDesk): void {
  const ofEach = (series: Series, read: (peer: NodeFigures['peers'][number]) => number | undefined): void => {
    gauges(registry, { ...series, labelNames: ['pc'] }, () =>
      desk.figures.peers.map(peer => ({ labels: { pc: peer.node.name }, value: read(peer) })),
    )
  }
  gauges(
    registry,
    {
      name: 'link_state',
      help: '1 for the state in which the link to that PC is, 0 for the others.',
      labelNames: ['pc', 'state'],
    },
    () =>
      desk.figures.peers.flatMap(peer =>
        linkStates.map(state => ({ labels: { pc: peer.node.name, state }, value: peer.state === state ? 1 : 0 })),
      ),
  )
  ofEach({ name: 'link_round_trip_seconds', help: 'To that PC and back, smoothed.' }, ({ roundTripMs }) =>
    inSeconds(roundTripMs),
  )
  ofEach(
    { name: 'link_waiting_bytes', help: 'Bytes for that PC that it has not acknowledged.' },
    ({ waitingBytes }) => waitingBytes,
  )
  ofEach(
    { name: 'link_waiting_frames', help: 'Frames for that PC that it has not acknowledged.' },
    ({ waitingFrames }) => waitingFrames,
  )
}

function measureMember(registry: Registry, desk: NodesDesk): void {
  const of =
    (read: (member: NonNullable<NodeFigures['member']>) => number | undefined): (() => number | undefined) =>
    () =>
      desk.figures.member && read(desk.figures.member)
  gauge(registry, { name: 'hazelcast_up', help: '1 while the Hazelcast member of this PC runs, else 0.' }, () =>
    desk.figures.member ? 1 : 0,
  )
  gauge(
    registry,
    { name: 'hazelcast_members', help: 'Members that the one of this PC sees, itself among them.' },
    of(({ seen }) => seen),
  )
  gauge(
    registry,
    { name: 'hazelcast_safe', help: '1 while every entry has its copies, else 0.' },
    of(({ isSafe }) => (isSafe === undefined ? undefined : Number(isSafe))),
  )
  gauge(
    registry,
    { name: 'hazelcast_resident_memory_bytes', help: 'Memory of the member.' },
    of(({ rssBytes }) => rssBytes),
  )
  gauge(
    registry,
    { name: 'hazelcast_heap_used_bytes', help: 'Used of its Java heap.' },
    of(({ heapUsedBytes }) => heapUsedBytes),
  )
  gauge(
    registry,
    { name: 'hazelcast_heap_max_bytes', help: 'The most that its Java heap may be.' },
    of(({ heapMaxBytes }) => heapMaxBytes),
  )
  gauge(
    registry,
    { name: 'hazelcast_start_seconds', help: 'How long the last start of the member took.' },
    of(({ startMs }) => inSeconds(startMs)),
  )
  counter(
    registry,
    { name: 'hazelcast_cpu_seconds_total', help: 'Processor time of the running member.' },
    of(({ processorSeconds }) => processorSeconds),
  )
  counter(
    registry,
    { name: 'hazelcast_restarts_total', help: 'How often the member was started again since this server runs.' },
    of(({ restarts }) => restarts),
  )
}

const inSeconds = (milliseconds: number | undefined): number | undefined =>
  milliseconds === undefined ? undefined : milliseconds / 1_000
