/** A fresh PC with a token in its autosetup file: finds the office that knows the same token and joins it, or agrees with others like it who makes one. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { openMesh } from '../cluster/mesh/mesh.ts'
import { type About, askAbout } from '../cluster/pairing/dial.ts'
import { JoinHost } from '../cluster/pairing/host.ts'
import { joinOffice } from '../cluster/pairing/joiner.ts'
import { type Applicant, JoinFault, type Welcome } from '../cluster/welcome.ts'
import type { ClusterConfig, Listen } from '../config.ts'
import type { CertifiedKey } from '../net/ca.ts'
import { officeAuthority } from '../net/office-certificates.ts'
import type { DataFolder } from '../node.ts'
import { listenFault } from '../opening.ts'
import { Election } from './election.ts'
import { certifyNode, openLinkKey } from './link-key.ts'
import { Surroundings } from './surroundings.ts'

const LOOK_MS = 300
/** After a while there is no hurry: hosts answer each address so often only. */
const CALM_LOOK_MS = 1_000
const HURRY_LOOKS = 20
const ASK_MS = 1_500
/** How long the PCs of an office that has the database already are looked for. */
const KNOWN_MS = 60_000

export interface ProvisionOptions {
  readonly folder: DataFolder
  /** Of this PC. */
  readonly name: string
  readonly applicant: Applicant
  readonly listen: Listen
  readonly cluster: Omit<ClusterConfig, 'token'>
  readonly token: string
  /** Addresses of PCs that are known to carry the office: only joining comes into question. */
  readonly known: readonly string[] | undefined
  readonly log: Logger
  readonly signal: AbortSignal
}

export type Provisioned =
  | { readonly kind: 'welcome'; readonly welcome: Welcome }
  /** Make the office. `release` gives the cluster port free: to be called just before it is opened for good. */
  | { readonly kind: 'found'; readonly release: () => Promise<void> }
  /** None of the `known` lets us in by this token, or none is there. */
  | { readonly kind: 'alone' }

/** @throws ListenFault; JoinFault when the office that is there does not take us; the signal's error */
export async function provision(options: ProvisionOptions): Promise<Provisioned> {
  const { folder, token, log, signal, cluster, applicant } = options
  const { nodeId, epoch } = folder.state
  const authority = await officeAuthority(folder, options.name)
  const candidate = await openCandidate(options, authority)
  const around = new Surroundings({
    ...{ nodeId, version: applicant.version, host: options.listen.host, cluster, token, log },
    officeId: () => undefined,
  })
  around.announce({
    authority,
    announcement: () => ({
      ...{ nodeId, name: applicant.name, epoch, port: candidate.port, version: applicant.version },
      ...(applicant.hazelcast !== undefined && { hazelcast: applicant.hazelcast }),
    }),
  })
  const release = async (): Promise<void> => {
    around.close()
    await candidate.close()
  }
  const own = new Set(applicant.addresses)
  const peers = cluster.peers.filter(peer => !own.has(peer))
  const since = performance.now()
  const election = new Election(nodeId, peers.length, since)
  try {
    for (let looks = 0; ; looks++) {
      signal.throwIfAborted()
      candidate.word = election.word
      const found = [...around.discovery.offices, ...around.discovery.candidates].map(({ address }) => address)
      const abouts = await askAll(new Set([...peers, ...(options.known ?? []), ...found]), options)
      const decision = election.decide(abouts, performance.now())
      if (decision.kind === 'join') {
        const welcome = await joinOne(decision.addresses, options)
        if (welcome) {
          await release()
          return { kind: 'welcome', welcome }
        }
      } else if (decision.kind === 'found' && options.known === undefined) {
        log.info('this PC makes the office, the others join it')
        return { kind: 'found', release }
      }
      if (options.known && performance.now() - since > KNOWN_MS) {
        await release()
        return { kind: 'alone' }
      }
      await delay(looks < HURRY_LOOKS ? LOOK_MS : CALM_LOOK_MS, undefined, { signal })
    }
  } catch (error) {
    await release()
    throw error
  }
}

/** Asks all addresses at once what is behind them; this PC itself may be among them. */
async function askAll(addresses: ReadonlySet<string>, options: ProvisionOptions): Promise<About[]> {
  const { token, applicant, folder, signal } = options
  const { nodeId } = folder.state
  const asked = [...addresses].map(async address => {
    try {
      return [await askAbout(address, { version: applicant.version, token, connectMs: ASK_MS, signal })]
    } catch (error) {
      if (error instanceof JoinFault) return []
      throw error
    }
  })
  return (await Promise.all(asked)).flat().filter(about => about.nodeId !== nodeId)
}

/** @returns undefined when the office is only just starting: it is asked again */
async function joinOne(addresses: readonly string[], options: ProvisionOptions): Promise<Welcome | undefined> {
  const { token, applicant, signal, log } = options
  for (const address of addresses) {
    try {
      return await joinOffice({ address, way: { kind: 'token', token }, applicant, signal })
    } catch (error) {
      if (!(error instanceof JoinFault)) throw error
      if (error.reason === 'version' || error.reason === 'refused') throw error
      log.info({ address, reason: error.reason }, error.message)
    }
  }
  return undefined
}

/** The cluster port of a PC without an office: says what it is to whoever asks, and lets nobody in. */
async function openCandidate(options: ProvisionOptions, authority: CertifiedKey) {
  const { folder, applicant, listen, log, token } = options
  const { nodeId, epoch } = folder.state
  const key = await openLinkKey(folder.file('certificates'))
  const { version, hazelcast, name } = applicant
  const certificate = await certifyNode(authority, nodeId, key.publicKey)
  let word: Election['word'] = 'candidate'
  const mesh = await openMesh({
    self: { number: 1, id: nodeId, name, epoch, version, hazelcast },
    listen: { host: listen.host, port: listen.cluster },
    identity: { certificate, key: key.key },
    authority: authority.certificate,
    nodes: [],
    // Nobody chats here yet, and of sixty fresh PCs all must hear each other.
    limits: { handshakesPerSecondOfStrangers: 500 },
    log: log.child({ part: 'mesh' }),
  }).catch(error => {
    throw listenFault(error, 'cluster', listen.cluster, listen.host)
  })
  const host = new JoinHost({
    authority: authority.certificate,
    about: () => ({ kind: word, node: name, nodeId, version, ...(hazelcast !== undefined && { hazelcast }) }),
    admit: () => Promise.reject(new JoinFault('busy', `${name} is just making its office. Try again in a moment.`)),
    token,
    log: log.child({ part: 'pairing' }),
  })
  const end = mesh.onJoin(socket => host.take(socket))
  return {
    port: mesh.port,
    set word(next: Election['word']) {
      word = next
    },
    async close() {
      end()
      host.close()
      await mesh.close()
    },
  }
}
