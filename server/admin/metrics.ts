/** Numbers for monitoring (Prometheus text format); those of the PCs are in node-metrics.ts. */
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { Activity } from './activity.ts'
import type { Health } from './health.ts'
import { measureNodes } from './node-metrics.ts'
import type { OfficeParts } from './parts.ts'
import { counter, gauge } from './series.ts'

/** Makes the registry of one server; nothing is measured before it is read, except what node measures by itself. */
export function createMetrics(version: string): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'lanthorn_' })
  new Gauge({
    name: 'lanthorn_info',
    help: 'Always 1; the label is the version.',
    labelNames: ['version'],
    registers: [registry],
  }).set({ version }, 1)
  return registry
}

/** Adds the series of an open office, in place of those of one that was closed. */
export function measureOffice(
  registry: Registry,
  office: OfficeParts,
  parts: { activity: Activity; health: Health },
): void {
  const measure = (name: string, help: string, read: () => number): void => gauge(registry, { name, help }, read)
  measure('sessions', 'Sessions of chat apps on this PC, resting ones included.', () => office.sessions.size)
  measure('routes', 'Sessions in the whole office, as this PC knows them.', () => office.directory.size)
  measure('database_up', '1 while the database can be used, else 0.', () => (office.db.state === 'up' ? 1 : 0))
  measure('healthy', '1 when no check of the Health page is bad, else 0.', () =>
    parts.health.report.state === 'bad' ? 0 : 1,
  )
  measure(
    'delivery_seconds_p99',
    'From received to written, last hour, 99th percentile.',
    () => (parts.activity.durations.percentile(0.99) ?? 0) / 1000,
  )
  counter(
    registry,
    { name: 'messages_total', help: 'Messages delivered on this PC since its start.' },
    () => parts.activity.messagesTotal,
  )
  measureNodes(registry, office.nodes)
}
