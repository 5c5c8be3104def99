import { X509Certificate } from 'node:crypto'
import { DatabaseAway } from '../../db/pool.ts'
import type { RouteParts } from '../admin.ts'
import { isFoundByDns } from '../checks.ts'
import { getConnect, getHome } from '../contract/office.ts'
import type { OpenOffice } from '../open-office.ts'
import type { Desk } from '../serve.ts'

export function officeRoutes(desk: Desk, { office }: RouteParts): void {
  desk.serve(getHome, async () => {
    const open = office()
    const { health, happenings, figures } = open
    if (health.report.checks.length === 0) await health.check()
    const numbers = await figures.read()
    return {
      ...health.summary,
      figures: numbers,
      pcs: open.parts.nodes.nodes.slice(0, 64),
      happened: happenings.latest,
      todo: await todoOf(open, numbers.people),
    }
  })

  desk.serve(getConnect, async () => {
    const { parts: chat } = office()
    const { c2s = 0, c2sTls, web } = chat.ports()
    return {
      domain: chat.domain,
      addresses: chat.addresses().slice(0, 32),
      ports: { chat: c2s, ...(c2sTls !== undefined && { chatTls: c2sTls }), ...(web !== undefined && { web }) },
      found: await isFoundByDns(chat.domain),
      fingerprint: new X509Certificate(chat.certificates.authority).fingerprint256,
    }
  })
}

async function todoOf({ parts: chat, activity }: OpenOffice, people: number) {
  try {
    return [
      ...(chat.nodes.enabled ? [{ id: 'pc' as const, done: chat.nodes.nodes.length > 1 }] : []),
      { id: 'people' as const, done: people > 1 },
      { id: 'connect' as const, done: await activity.hasAnybodySignedIn() },
      { id: 'recovery' as const, done: (await chat.recovery.sheet()).kept },
    ]
  } catch (error) {
    // While the database is away nobody needs to be told what to do next.
    if (error instanceof DatabaseAway) return []
    throw error
  }
}
