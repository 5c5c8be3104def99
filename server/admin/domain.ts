/** Looks at a domain before an office gets it: it can never be changed afterwards. */
import { Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'
import { enforceDomain, JidError } from '../xmpp/jid.ts'
import type { Wellness } from './contract/endpoint.ts'

const DNS_MS = 2_000

/** What is known of a domain. */
export interface DomainChecked {
  state: Wellness
  sentence: string
  /** As it would be kept: lower case, no dot at the end. */
  domain: string
}

/**
 * Checks the form of a domain, and asks DNS whether another chat server has it.
 * @param typed as it was typed
 */
export async function checkDomainName(typed: string): Promise<DomainChecked> {
  const text = typed.trim().replace(/\.$/, '')
  const bad = (sentence: string): DomainChecked => ({ state: 'bad', sentence, domain: text })
  if (text === '') return bad('Type what stands after the @, such as acme.lan.')
  if (text.includes('@')) return bad('Only what stands after the @, please.')
  if (isIP(text.replace(/^\[|\]$/g, '')) !== 0)
    return bad('A number cannot stand after the @: take a name, such as acme.lan.')
  let domain: string
  try {
    domain = enforceDomain(text)
  } catch (error) {
    if (!(error instanceof JidError)) throw error
    return bad('A domain has letters, digits and hyphens, in parts joined by dots: acme.lan.')
  }
  if (!domain.includes('.')) return bad(`A domain has a dot in it: ${domain}.lan, for example.`)
  if (/\.local$/.test(domain)) {
    return {
      state: 'warn',
      sentence: 'Names that end in .local are used by printers and the like: .lan makes less trouble.',
      domain,
    }
  }
  const server = await otherServer(domain)
  if (server) return { state: 'warn', sentence: `DNS says that ${server} carries chat for ${domain} already.`, domain }
  return { state: 'ok', sentence: 'Free on this network.', domain }
}

/** The host that SRV records (RFC 6120 §3.2.1) name for a domain. */
async function otherServer(domain: string): Promise<string | undefined> {
  try {
    const records = await new Resolver({ timeout: DNS_MS, tries: 1 }).resolveSrv(`_xmpp-client._tcp.${domain}`)
    return records.find(record => record.name !== '')?.name
  } catch {
    // Not known, or no DNS here: nobody has it as far as can be seen.
    return undefined
  }
}
