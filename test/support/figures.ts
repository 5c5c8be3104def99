/** The numbers that an appliance shows to those who watch it (Prometheus text format). */
import type { Appliance } from './appliance.ts'

/** One number of /metrics. @param series its name, with labels as they stand there @throws Error when it is not shown */
export async function figureOf({ adminUrl }: Appliance, series: string): Promise<number> {
  const text = await (await fetch(new URL('/metrics', adminUrl))).text()
  const line = text.split('\n').find(one => one.startsWith(`${series} `))
  if (line === undefined) throw new Error(`/metrics does not show ${series}`)
  return Number(line.slice(series.length))
}
