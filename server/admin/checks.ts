/** The checks of one PC, each a sentence with a mark. What is not there yet (backups, other PCs) is not shown. */
import { X509Certificate } from 'node:crypto'
import { Resolver } from 'node:dns/promises'
import { statfs } from 'node:fs/promises'
import net from 'node:net'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { databaseChecks } from './database-checks.ts'
import type { FarAdmin } from './far.ts'
import { nodeChecks } from './node-checks.ts'
import type { Check, CheckResult, OfficeParts } from './parts.ts'
import { readableBytes } from './words.ts'

const DAY_MS = 24 * 60 * 60_000
const RENEW_DAYS = 14
const CONNECT_MS = 2_000
const DNS_MS = 2_000
/** Names that no public DNS may know (RFC 6761, RFC 6762, RFC 8375): not being found there is no fault. */
const privateNames = /(^|\.)(lan|local|internal|test|localhost|home\.arpa|intranet|corp|home)$/

/** All checks of an office's PC. `dataFolder` is where everything is kept. */
export function checksOf(
  office: OfficeParts,
  options: { dataFolder: string; now: () => number; far: FarAdmin },
): Check[] {
  return [
    databaseCheck(office),
    ...databaseChecks(office, options.now),
    ...nodeChecks(office.nodes, () => options.far.clocks()),
    clockCheck(office, options.now),
    diskCheck(options.dataFolder),
    portsCheck(office),
    pausesCheck(),
    certificateCheck(office, options.now),
    authorityCheck(office, options.now),
    namesCheck(office),
    ...(office.checks ?? []),
  ]
}

function databaseCheck(office: OfficeParts): Check {
  const { db } = office
  return {
    id: 'database',
    group: 'database',
    why: 'Accounts, contacts and messages are kept in it. While it is away people go on chatting, but nobody new can sign in.',
    run: async () => {
      const startedAt = performance.now()
      try {
        await db.one('SELECT 1', [], { timeoutMs: 5_000 })
      } catch (error) {
        return {
          state: 'bad',
          sentence: error instanceof Error ? withStop(error.message) : 'The database does not answer.',
        }
      }
      const ms = Math.round(performance.now() - startedAt)
      const which = office.isDatabaseOutside ? `The database at ${db.place}` : 'The built-in database'
      if (ms > 500) return { state: 'warn', sentence: `${which} answers slowly: it took ${ms} ms.` }
      return { state: 'ok', sentence: `${which} answers at once.` }
    },
  }
}

function clockCheck({ db }: OfficeParts, now: () => number): Check {
  // The monotonic clock does not follow when somebody sets the time.
  let offset = now() - performance.now()
  return {
    id: 'clock',
    group: 'pcs',
    why: 'Messages carry the time of this PC, and certificates are only good between two dates.',
    run: async (): Promise<CheckResult | undefined> => {
      const jumped = Math.round((now() - performance.now() - offset) / 1000)
      offset = now() - performance.now()
      if (Math.abs(jumped) >= 5) {
        const how = jumped > 0 ? `forward by ${jumped} seconds, or this PC slept` : `back by ${-jumped} seconds`
        return { state: 'warn', sentence: `The clock of this PC was just set ${how}.` }
      }
      if (db.state === 'away') return undefined
      const row = await db.one<{ now: Date }>('SELECT clock_timestamp() AS now')
      const apart = Math.round((now() - (row?.now.getTime() ?? now())) / 1000)
      if (Math.abs(apart) >= 5) {
        return {
          state: 'warn',
          sentence: `The clock of this PC is ${Math.abs(apart)} seconds ${apart > 0 ? 'ahead of' : 'behind'} that of the database server. Let both follow a time server.`,
        }
      }
      return { state: 'ok', sentence: 'The clock of this PC runs evenly.' }
    },
  }
}

function diskCheck(folder: string): Check {
  return {
    id: 'disk-space',
    group: 'pcs',
    why: 'When the disk is full, no message can be kept any more.',
    run: async () => {
      const { bavail, blocks, bsize } = await statfs(folder)
      const free = bavail * bsize
      const sentence = `${readableBytes(free)} of ${readableBytes(blocks * bsize)} are free.`
      if (free < 500e6) return { state: 'bad', sentence: `The disk is almost full: ${sentence}` }
      if (free < 5e9 && bavail / blocks < 0.1) return { state: 'warn', sentence: `The disk is filling up: ${sentence}` }
      return { state: 'ok', sentence }
    },
  }
}

/** The ports by which people chat. */
const chatPorts: readonly string[] = ['c2s', 'c2sTls', 'web', 'webPlain']
const portUses = {
  c2s: 'chat apps',
  c2sTls: 'chat apps (TLS)',
  web: 'chat apps in browsers',
  webPlain: 'chat apps in browsers, unencrypted',
  s2s: 'other chat servers',
  s2sTls: 'other chat servers (TLS)',
  component: 'components',
  cluster: 'the other PCs',
} as const

function portsCheck(office: OfficeParts): Check {
  return {
    id: 'ports',
    group: 'pcs',
    why: 'Chat apps come in through these ports of this PC.',
    run: async () => {
      const open = Object.entries(office.ports()) as [keyof typeof portUses, number][]
      const host = office.addresses()[0] ?? '127.0.0.1'
      const answers = await Promise.all(open.map(async ([, port]) => canConnect(host, port)))
      const deaf = open.filter((_, index) => !answers[index])
      const list = (ports: typeof open): string =>
        ports.map(([name, port]) => `${port} for ${portUses[name]}`).join(', ')
      if (deaf.length > 0) {
        const stopsChat = open.every(port => deaf.includes(port) || !chatPorts.includes(port[0]))
        return { state: 'bad', sentence: `Not answered at ${host}: ${list(deaf)}.`, stopsChat }
      }
      return { state: 'ok', sentence: `Open at ${host}: ${list(open)}.` }
    },
  }
}

function canConnect(host: string, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = net.connect({ host, port, timeout: CONNECT_MS })
    const end = (isOpen: boolean) => (): void => {
      socket.destroy()
      resolve(isOpen)
    }
    socket.once('connect', end(true)).once('error', end(false)).once('timeout', end(false))
  })
}

function pausesCheck(): Check {
  const delay = monitorEventLoopDelay({ resolution: 100 })
  delay.enable()
  return {
    id: 'pauses',
    group: 'pcs',
    why: 'While the server pauses, everybody waits. Pauses come from a PC that is too busy or too short of memory.',
    run: () => {
      const longestMs = Math.round(delay.max / 1e6)
      delay.reset()
      if (longestMs > 1_000)
        return {
          state: 'warn',
          sentence: `The server paused for ${(longestMs / 1000).toFixed(1)} seconds in the last minute.`,
        }
      return { state: 'ok', sentence: 'The server answers without pauses.' }
    },
  }
}

function certificateCheck({ certificates, domain, tls }: OfficeParts, now: () => number): Check {
  return {
    id: 'certificate',
    group: 'names',
    why: 'Chat apps refuse to connect when it has run out or belongs to another name.',
    run: () => {
      const { source, renew } = certificates
      const certificate = tls.current.leaf
      const days = Math.floor((certificate.validToDate.getTime() - now()) / DAY_MS)
      const mend = renew && { mend: { label: 'Renew the certificate', run: 'certificate' } }
      const other = source === 'file' ? ' Put a new one in its place.' : ''
      if (certificate.validFromDate.getTime() > now())
        return {
          state: 'bad',
          sentence: `The certificate of ${domain} is not good before ${day(certificate.validFromDate)}: is the clock right?`,
        }
      if (days < 0)
        return {
          state: 'bad',
          sentence: `The certificate of ${domain} ran out on ${day(certificate.validToDate)}.${other}`,
          ...mend,
        }
      if (!certificate.checkHost(domain))
        return { state: 'bad', sentence: `The certificate does not name ${domain}.${other}`, ...mend }
      if (days < RENEW_DAYS)
        return { state: 'warn', sentence: `The certificate of ${domain} runs out in ${days} days.${other}`, ...mend }
      return { state: 'ok', sentence: `The certificate of ${domain} is good until ${day(certificate.validToDate)}.` }
    },
    mend: async () => {
      await certificates.renew?.()
    },
  }
}

function authorityCheck({ certificates }: OfficeParts, now: () => number): Check {
  return {
    id: 'authority',
    group: 'names',
    why: 'It vouches for all PCs of this office. Phones and PCs that have it trust them without a question.',
    run: () => {
      const { validToDate } = new X509Certificate(certificates.authority)
      const days = Math.floor((validToDate.getTime() - now()) / DAY_MS)
      if (days < 90)
        return { state: days < 0 ? 'bad' : 'warn', sentence: `The office’s own authority ends on ${day(validToDate)}.` }
      return { state: 'ok', sentence: `The office’s own authority is good until ${day(validToDate)}.` }
    },
  }
}

function namesCheck(office: OfficeParts): Check {
  return {
    id: 'dns',
    group: 'names',
    why: 'With these records chat apps find the server by a person’s address alone. Without them people type the server once.',
    run: async () => {
      const { domain } = office
      const host = office.addresses()[0]
      const ports = office.ports()
      if (ports.c2s === undefined) return undefined
      if (await isFoundByDns(domain))
        return { state: 'ok', sentence: `DNS leads chat apps to the server of ${domain}.` }
      const target = `chat.${domain}.`
      const lines = [
        ...(host && !net.isIPv6(host) ? [`${target} A ${host}`] : []),
        ...(host && net.isIPv6(host) ? [`${target} AAAA ${host}`] : []),
        `_xmpp-client._tcp.${domain}. SRV 0 5 ${ports.c2s} ${target}`,
        ...(ports.c2sTls === undefined ? [] : [`_xmpps-client._tcp.${domain}. SRV 0 5 ${ports.c2sTls} ${target}`]),
      ]
      const state = privateNames.test(domain) ? 'ok' : 'warn'
      return {
        state,
        sentence: `DNS does not know the chat server of ${domain}: people type ${host ?? 'its address'} as the server.`,
        lines,
      }
    },
  }
}

/** Whether SRV records (RFC 6120 §3.2.1) lead from the domain to a server. */
export async function isFoundByDns(domain: string): Promise<boolean> {
  const resolver = new Resolver({ timeout: DNS_MS, tries: 1 })
  try {
    const records = await resolver.resolveSrv(`_xmpp-client._tcp.${domain}`)
    return records.some(record => record.name !== '')
  } catch {
    // Not known, or no DNS at all: the answer is the same.
    return false
  }
}

const day = (date: Date): string => date.toISOString().slice(0, 10)
const withStop = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`)
