/** One office on several PCs of a lab: real appliances that found each other by themselves, and, if wanted, a PostgreSQL of their own beside them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { appendFile } from 'node:fs/promises'
import http from 'node:http'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import type { Endpoint, Reply } from '../../../server/admin/contract/endpoint.ts'
import { getNodes, type Node } from '../../../server/admin/contract/nodes.ts'
import type { CallInput } from '../../../server/cli/client.ts'
import { readRunFile } from '../../../server/cli/run-file.ts'
import { hazelcastHere } from '../../../server/cluster/hazelcast/java.ts'
import { type Appliance, type ApplianceConfig, startAppliance } from '../appliance.ts'
import {
  account,
  eventually,
  makeAccount,
  ownPrograms,
  PostgresServer,
  quietPort,
  removeServers,
  serverFolder,
} from '../postgres-server.ts'
import { Lab, type LabHost } from './lab.ts'

/** In the autosetup files of all PCs. */
export const token = 'a token of this test that is long enough'
const viewMs = 40_000
/** Two halves of a Hazelcast cluster find each other again half a minute after the network is whole. */
const oneViewMs = 90_000
const answerMs = 25_000
/** As everywhere: each PC has its own. */
export const ports = {
  ...{ c2s: 5222, c2sTls: 5223, s2s: 5269, s2sTls: 5270, component: 5347 },
  ...{ web: 7443, webPlain: 7070, admin: 9091, adminPlain: 9090, cluster: 5275 },
}
/** Leads to the admin pages as somebody at the PC itself reaches them; no part of the appliance. */
export const doorPort = 29_090
const door = `const n=require('net');n.createServer(a=>{const b=n.connect(${ports.adminPlain},'127.0.0.1');a.pipe(b).pipe(a);for(const s of[a,b])s.on('error',()=>{a.destroy();b.destroy()})}).listen(${doorPort})`

/** An appliance on a PC of the lab. */
export interface LabNode {
  readonly name: string
  readonly host: LabHost
  readonly appliance: Appliance
}

interface LabOfficeOptions {
  readonly pcs: number
  /** PCs on the same network on which no appliance is started. */
  readonly others?: number
  /** 'outside': a PostgreSQL at the switch that every PC reaches; 'embedded': on one of the PCs. */
  readonly database: 'outside' | 'embedded'
  readonly config?: ApplianceConfig
}

export class LabOffice implements AsyncDisposable {
  readonly lab: Lab
  readonly nodes: readonly LabNode[]
  readonly #doors: readonly ChildProcess[]
  /** Whether the PCs run members of a Hazelcast cluster. */
  readonly #hasMembers: boolean
  readonly #database: PostgresServer | undefined
  readonly #folder: string | undefined

  private constructor(parts: {
    lab: Lab
    nodes: LabNode[]
    doors: ChildProcess[]
    hasMembers: boolean
    database?: PostgresServer
    folder?: string
  }) {
    this.lab = parts.lab
    this.nodes = parts.nodes
    this.#doors = parts.doors
    this.#hasMembers = parts.hasMembers
    this.#database = parts.database
    this.#folder = parts.folder
  }

  /** Starts all PCs at the same moment, and waits until each of them sees all others. */
  static async open(options: LabOfficeOptions): Promise<LabOffice> {
    const lab = Lab.open(options.pcs + (options.others ?? 0))
    const nodes: LabNode[] = []
    const doors: ChildProcess[] = []
    let database: PostgresServer | undefined
    let folder: string | undefined
    try {
      if (options.database === 'outside') {
        folder = await serverFolder()
        database = await startDatabase(folder)
      }
      const url = database ? urlOf(lab, database) : 'embedded'
      await Promise.all(
        lab.hosts.slice(0, options.pcs).map(async host => {
          doors.push(openDoor(host))
          const appliance = await startAppliance({
            through: host.through,
            host: host.address,
            config: {
              node: host.name,
              database: { url },
              ...options.config,
              listen: { host: '0.0.0.0', ...ports, ...options.config?.listen },
              cluster: { enabled: true, token },
              settings: { 'passwords.iterations': 4096, ...options.config?.settings },
            },
          })
          nodes.push({ name: host.name, host, appliance })
        }),
      )
      nodes.sort((a, b) => a.name.localeCompare(b.name))
      const hasMembers = (await hazelcastHere()) !== undefined
      const office = new LabOffice({
        lab,
        nodes,
        doors,
        hasMembers,
        ...(database && { database }),
        ...(folder && { folder }),
      })
      await office.isOn()
      return office
    } catch (error) {
      for (const { appliance } of nodes) await appliance.cleanup()
      for (const one of doors) one.kill()
      if (database && folder) await removeServers([database], folder)
      await lab[Symbol.asyncDispose]()
      throw error
    }
  }

  node(number: number): LabNode {
    const node = this.nodes[number - 1]
    if (!node) throw new Error(`there is no PC ${number} in this lab`)
    return node
  }

  /** What one PC shows of all. */
  view(node: LabNode): Promise<Reply<typeof getNodes>> {
    return this.ask(node, getNodes)
  }

  /** Asks the admin side of one PC, as somebody at it. @throws Error with what it refused */
  async ask<E extends Endpoint>(node: LabNode, endpoint: E, input: CallInput<E> = {}): Promise<Reply<E>> {
    const params = new Map(Object.entries(input.params ?? {}))
    const address = endpoint.path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(params.get(name))))
    const body = endpoint.method === 'GET' ? '' : JSON.stringify(input.body ?? {})
    return JSON.parse(await this.#request(node, endpoint.method, address, body)) as Reply<E>
  }

  /** What one PC shows to those who watch it: 'name{labels} number', a line each. */
  async metrics(node: LabNode): Promise<string[]> {
    return (await this.#request(node, 'GET', '/metrics')).split('\n').filter(line => !line.startsWith('#'))
  }

  async #request({ appliance, host }: LabNode, method: string, address: string, body = ''): Promise<string> {
    const run = await readRunFile(appliance.dataDir)
    const headers = {
      authorization: `Bearer ${run?.token}`,
      host: `127.0.0.1:${ports.adminPlain}`,
      ...(body !== '' && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
    }
    const to = { host: host.address, port: doorPort, path: address, method, headers, agent: false }
    const answer = await new Promise<http.IncomingMessage>((resolve, reject) => {
      const request = http.request({ ...to, timeout: answerMs }, resolve)
      request.on('timeout', () => request.destroy(new Error(`${host.name} did not answer within ${answerMs} ms`)))
      request.on('error', reject)
      request.end(body)
    })
    const told = await text(answer)
    const status = answer.statusCode ?? 0
    if (status < 200 || status > 299) throw new Error(`${host.name} answered ${status}: ${told}`)
    return told
  }

  /** Resolves when every one of these PCs sees all of them as on. */
  async isOn(nodes: readonly LabNode[] = this.nodes): Promise<void> {
    await this.#shows(nodes, ({ state }) => state === 'on', viewMs)
  }

  /** The same, and where there is Hazelcast, each also knows that the member of every one of them sees those of all. */
  async isWhole(nodes: readonly LabNode[] = this.nodes): Promise<void> {
    const names = nodes.map(({ name }) => name).sort()
    const seesAll = ({ member, members = [] }: Node): boolean =>
      member === 'member' && members.toSorted().join() === names.join()
    await this.#shows(nodes, node => node.state === 'on' && (!this.#hasMembers || seesAll(node)), oneViewMs)
  }

  async #shows(nodes: readonly LabNode[], isRight: (node: Node) => boolean, limitMs: number): Promise<void> {
    const names = nodes.map(({ name }) => name)
    for (const node of nodes) {
      let seen: readonly Node[] = []
      await eventually(
        `${node.name} to see ${names.join(', ')}`,
        async () => {
          seen = (await this.view(node)).nodes
          const right = seen.filter(isRight)
          return right.length === names.length && right.every(({ name }) => names.includes(name))
        },
        limitMs,
      ).catch(error => {
        const sees = seen.map(({ name, state, members }) => `${name} ${state} with ${members?.join('+')}`)
        throw new Error(`${error.message}; it sees ${sees.join(', ')}`, { cause: error })
      })
    }
  }

  /** Breaks the links, and the tunnels beside them, of two PCs. @returns how many connections there were */
  sever(one: LabNode, other: LabNode): number {
    return this.lab.sever(one.host, other.host, ports.cluster)
  }

  /** Resolves when every one of these PCs knows exactly so many connected devices. */
  async knows(devices: number, nodes: readonly LabNode[] = this.nodes, limitMs = 10_000): Promise<void> {
    for (const node of nodes) {
      let known: number | undefined
      await eventually(
        `${node.name} to know ${devices} devices`,
        async () => {
          known = (await this.view(node)).nodes.find(({ here }) => here)?.routes
          return known === devices
        },
        limitMs,
      ).catch(error => {
        throw new Error(`${error.message}; it knows ${known}`, { cause: error })
      })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { appliance } of this.nodes) appliance.signal('SIGCONT')
    await Promise.all(this.nodes.map(({ appliance }) => appliance.cleanup()))
    for (const one of this.#doors) one.kill()
    if (this.#database && this.#folder) await removeServers([this.#database], this.#folder)
    await this.lab[Symbol.asyncDispose]()
  }
}

function openDoor({ through }: LabHost): ChildProcess {
  const [program = 'ip', ...rest] = through
  return spawn(program, [...rest, process.execPath, '-e', door], { stdio: 'ignore' })
}

async function startDatabase(parent: string): Promise<PostgresServer> {
  const server = new PostgresServer({ name: 'main', parent, port: await quietPort(), programs: await ownPrograms() })
  await server.create({ listen_addresses: '*', max_connections: '120' })
  await appendFile(path.join(server.dataFolder, 'pg_hba.conf'), 'host all all 10.0.0.0/8 scram-sha-256\n')
  await server.start()
  await makeAccount(server)
  return server
}

function urlOf(lab: Lab, { port }: PostgresServer): string {
  const { user, password, database } = account
  return `postgresql://${user}:${password}@${lab.gateway}:${port}/${database}?sslmode=disable`
}
