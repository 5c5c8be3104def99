/** Health checks of the certificates that chat apps see, on this PC and on the others. */
import { X509Certificate } from 'node:crypto'
import type { FarAdmin } from './far.ts'
import type { Check, OfficeParts } from './parts.ts'

const DAY_MS = 24 * 60 * 60_000
const RENEW_DAYS = 14

type Parts = Pick<OfficeParts, 'certificates' | 'domain' | 'tls' | 'nodes'>

/** What is shown here, whether the other PCs show the like, and the office's own authority. */
export function certificateChecks(
  office: Parts,
  { now, far }: { now: () => number; far: Pick<FarAdmin, 'makers'> },
): Check[] {
  return [certificateCheck(office, now), makersCheck(office, far), authorityCheck(office, now)]
}

function certificateCheck({ certificates, domain, tls }: Parts, now: () => number): Check {
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

/** An own certificate (`tls` in the autosetup file) stays on its PC. */
function makersCheck({ nodes, tls }: Parts, far: Pick<FarAdmin, 'makers'>): Check {
  return {
    id: 'certificate-makers',
    group: 'names',
    why: 'When a PC is off, its people go on with another one. An app that does not trust the maker of the certificate there asks, or does not connect.',
    run: async () => {
      const others = await far.makers()
      if (others.length === 0) return undefined
      const all = [{ name: nodes.node, maker: makerOf(tls.current.leaf) }, ...others]
      const makers = [...new Set(all.map(({ maker }) => maker))].sort()
      if (makers.length === 1) return { state: 'ok', sentence: 'The certificates of all PCs are of one maker.' }
      const each = makers.map(maker => {
        const names = all.filter(one => one.maker === maker).map(({ name }) => name)
        return `${maker} on ${names.join(', ')}`
      })
      return {
        state: 'warn',
        sentence: `The certificates of the PCs are of different makers: ${each.join('; ')}. An own certificate counts for its PC alone: give one to each, or to none.`,
      }
    },
  }
}

/** Who has signed it, in a few words: “Let's Encrypt R11”, “ACME”. */
export function makerOf(certificate: X509Certificate): string {
  const part = (name: string) => new RegExp(`(?:^|\\n)${name}=(.*)`).exec(certificate.issuer)?.[1]
  const [organization, common] = [part('O'), part('CN')]
  return [...new Set([organization, common])].filter(one => one !== undefined).join(' ') || 'an unknown maker'
}

function authorityCheck({ certificates }: Parts, now: () => number): Check {
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

const day = (date: Date): string => date.toISOString().slice(0, 10)
