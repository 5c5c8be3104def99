/** Series of numbers that are read when they are asked for, each in place of one of the same name: an office is opened more than once. */
import { Counter, Gauge, type Registry } from 'prom-client'

export interface Series {
  /** Without our prefix. */
  readonly name: string
  readonly help: string
}

/** A number. Not shown while `read` gives none. */
export function gauge(registry: Registry, { name, help }: Series, read: () => number | undefined): void {
  new Gauge({
    name: free(registry, name),
    help,
    registers: [registry],
    collect() {
      const value = read()
      if (value === undefined) this.remove()
      else this.set(value)
    },
  })
}

/** Numbers of one kind, each with labels; those that `read` does not give any more are not shown any more. */
export function gauges<Label extends string>(
  registry: Registry,
  { name, help, labelNames }: Series & { readonly labelNames: readonly Label[] },
  read: () => readonly { readonly labels: Record<Label, string>; readonly value: number | undefined }[],
): void {
  new Gauge({
    name: free(registry, name),
    help,
    labelNames,
    registers: [registry],
    collect() {
      this.reset()
      for (const { labels, value } of read()) if (value !== undefined) this.set(labels, value)
    },
  })
}

/** A number that only grows, until what it counts begins anew. */
export function counter(registry: Registry, { name, help }: Series, read: () => number | undefined): void {
  new Counter({
    name: free(registry, name),
    help,
    registers: [registry],
    collect() {
      const value = read()
      this.reset()
      if (value === undefined) this.remove()
      else this.inc(value)
    },
  })
}

function free(registry: Registry, name: string): string {
  const fullName = `lanthorn_${name}`
  registry.removeSingleMetric(fullName)
  return fullName
}
