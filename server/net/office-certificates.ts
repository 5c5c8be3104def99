/** The office's authority and this node's certificate in the data folder: made when missing, renewed by themselves. */
import { mkdir, readFile } from 'node:fs/promises'
import net from 'node:net'
import { networkInterfaces } from 'node:os'
import path from 'node:path'
import type { Logger } from 'pino'
import { writeDurably } from '../durable-file.ts'
import { type CertifiedKey, createAuthority, issue, needsRenewal } from './ca.ts'
import { CertificateFault, checkPair } from './certificate.ts'

export interface OfficeCertificatesOptions {
  /** Folder for the four files, inside the data folder. */
  folder: string
  office: string
  domain: string
  /** This computer's name on the LAN. */
  hostName: string
  /** Now, in milliseconds since 1970. */
  clock?: () => number
  /** Addresses of this computer; its interfaces are asked when left out. */
  addresses?: () => string[]
}

const checkIntervalMs = 3_600_000

/** The authority's and the node's certificates as files. */
export class OfficeCertificates {
  readonly #options: OfficeCertificatesOptions

  constructor(options: OfficeCertificatesOptions) {
    this.#options = options
  }

  /** The office's authority, made at the first call. @throws CertificateFault when its files are damaged */
  async authority(): Promise<CertifiedKey> {
    const known = await this.#read('office-ca')
    if (known) {
      checkPair(known.certificate, known.key, {
        certificate: this.#file('office-ca.pem'),
        key: this.#file('office-ca.key'),
      })
      return known
    }
    const made = await createAuthority(this.#options.office, this.#now())
    await this.#write('office-ca', made)
    return made
  }

  /** This node's certificate, made again when it is due. Give this to a ServerTls as the source of kind `office`. */
  async load(): Promise<CertifiedKey> {
    const known = await this.#readNode()
    if (known && !(await this.#isDue(known))) return known
    const made = await issue(await this.authority(), {
      ...this.#subject(),
      name: this.#options.domain,
      now: this.#now(),
    })
    await this.#write('node', made)
    return made
  }

  /** Whether `load` would make a new certificate: the old one ends soon, or this computer has new names or addresses. */
  async isDue(): Promise<boolean> {
    const known = await this.#readNode()
    return known === undefined || this.#isDue(known)
  }

  /**
   * Looks every hour whether the certificate is due and then calls `reload`, which loads it again. Gives the function that ends it.
   */
  keepFresh(reload: () => Promise<unknown>, log: Logger): () => void {
    const timer = setInterval(() => {
      this.isDue()
        .then(async isDue => {
          if (!isDue) return
          await reload()
          log.info('certificate of this node renewed')
        })
        .catch((err: unknown) => log.error({ err }, 'certificate of this node could not be renewed'))
    }, checkIntervalMs)
    timer.unref()
    return () => clearInterval(timer)
  }

  async #isDue(known: CertifiedKey): Promise<boolean> {
    const { certificate } = await this.authority()
    return needsRenewal(known.certificate, certificate, { ...this.#subject(), now: this.#now() })
  }

  #now(): number {
    return this.#options.clock?.() ?? Date.now()
  }

  #subject() {
    const { domain, hostName } = this.#options
    const addresses = this.#options.addresses?.() ?? ownAddresses()
    if (net.isIP(domain)) return { dnsNames: lanNames(hostName), addresses: unique([domain, ...addresses]) }
    return { dnsNames: unique([domain, `*.${domain}`, ...lanNames(hostName)]), addresses }
  }

  #file(name: string): string {
    return path.join(this.#options.folder, name)
  }

  /** The node's certificate; one that was only half written when the power failed counts as missing and is made again. */
  async #readNode(): Promise<CertifiedKey | undefined> {
    const found = await this.#read('node')
    try {
      if (found) checkPair(found.certificate, found.key, { certificate: 'node.pem', key: 'node.key' })
      return found
    } catch (error) {
      if (error instanceof CertificateFault) return undefined
      throw error
    }
  }

  async #read(name: string): Promise<CertifiedKey | undefined> {
    const files = [this.#file(`${name}.key`), this.#file(`${name}.pem`)] as const
    try {
      const [key, certificate] = await Promise.all(files.map(file => readFile(file, 'utf8')))
      return key === undefined || certificate === undefined ? undefined : { key, certificate }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw new CertificateFault(`The files ${files.join(' and ')} cannot be read: ${error}.`)
    }
  }

  /** The key first: a certificate without its key must never be found. */
  async #write(name: string, { certificate, key }: CertifiedKey): Promise<void> {
    await mkdir(this.#options.folder, { recursive: true, mode: 0o700 })
    await writeDurably(this.#file(`${name}.key`), key)
    await writeDurably(this.#file(`${name}.pem`), certificate)
  }
}

/** The authority in a data folder, made when there is none. @throws CertificateFault when its files are damaged */
export function officeAuthority(folder: { file(...names: string[]): string }, office: string): Promise<CertifiedKey> {
  return new OfficeCertificates({ folder: folder.file('certificates'), office, domain: '', hostName: '' }).authority()
}

function lanNames(hostName: string): string[] {
  const name = hostName.toLowerCase()
  // A host name with an underscore or worse cannot stand in a certificate; Windows allows such names.
  if (!/^[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*$/.test(name)) return ['localhost']
  return unique(['localhost', name, ...(name.includes('.') ? [] : [`${name}.local`])])
}

/** Addresses at which this computer is reached; link-local IPv6 ones are left out, nobody types them. */
function ownAddresses(): string[] {
  const found = Object.values(networkInterfaces()).flatMap(list => list ?? [])
  return unique([
    '127.0.0.1',
    '::1',
    ...found.map(({ address }) => address).filter(address => !/^fe80:/i.test(address)),
  ])
}

function unique(values: string[]): string[] {
  return [...new Set(values)]
}
