/** An office of two nodes on one database, linked by real meshes on loopback: both in this process, or the second one in a process that dies. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Connection } from '../../server/db/address.ts'
import type { CertifiedKey } from '../../server/net/ca.ts'
import { type ClusterNode, linked, type NodePlan, openNode, passed } from './cluster-node.ts'
import { freshDatabase } from './database.ts'
import type { House } from './house.ts'
import { authority, known, type Papers, papers, quick } from './mesh.ts'
import type { Office } from './office.ts'
import type { RawTarget } from './raw.ts'
import { withTimeout } from './timeout.ts'

const readyMs = 30_000
/** Both nodes share one process, or at least one PC with many others: a pause must not look like a death. */
const patient = { ...quick, heartbeatMs: 500, suspectMs: 5_000, goneMs: 20_000, frozenMs: 10_000 }
/** A process that was killed breaks its connections: it is suspected at once, and gone after this. */
const quickToBury = { ...patient, goneMs: 1_000, suspectMs: 900 }

/** What belongs to the office and not to one of its nodes. */
interface Ground {
  readonly authority: CertifiedKey
  readonly papers: readonly [Papers, Papers]
  readonly connection: Connection
  drop(): Promise<void>
}

async function openGround(): Promise<Ground> {
  const office = await authority()
  return { authority: office, papers: [await papers(office, 1), await papers(office, 2)], ...(await freshDatabase()) }
}

/** Two nodes in this process, linked; `first` is the one whose inside a test may look at. */
export async function openTwoNodes(): Promise<House & { readonly nodes: readonly [ClusterNode, ClusterNode] }> {
  const ground = await openGround()
  const plan = { authority: ground.authority, connection: ground.connection, epoch: 1, timings: patient }
  const first = await openNode({ ...plan, papers: ground.papers[0] })
  const second = await openNode({ ...plan, papers: ground.papers[1] })
  const nodes = [known(ground.papers[0], first.mesh.port), known(ground.papers[1], second.mesh.port)]
  for (const { mesh } of [first, second]) mesh.setNodes(nodes)
  await Promise.all([linked(first, second.name), linked(second, first.name)])
  let turn = 0
  /** Administrators sit at either PC. */
  const either = (): Office => (turn++ % 2 === 0 ? first : second).office
  return {
    nodes: [first, second],
    targets: [first.office.target('plain'), second.office.target('plain')],
    ...deeds(either),
    settles: () => passed(first, second.name),
    async [Symbol.asyncDispose]() {
      await second.close()
      await first.close()
      await ground.drop()
    },
  }
}

/** Two nodes, of which the second is killed by `breaks` and there again, in its next life, after `mends`. */
export async function openMortalNodes(): Promise<House> {
  const ground = await openGround()
  const plan = { authority: ground.authority, connection: ground.connection, timings: quickToBury }
  const first = await openNode({ ...plan, papers: ground.papers[0], epoch: 1 })
  const self = known(ground.papers[0], first.mesh.port)
  let epoch = 0
  const bear = async (): Promise<NodeProcess> => {
    first.mesh.setNodes([self, known(ground.papers[1])])
    const born = await NodeProcess.start({ ...plan, papers: ground.papers[1], epoch: ++epoch, others: [self] })
    await linked(first, ground.papers[1].node.name)
    return born
  }
  let second: NodeProcess | undefined = await bear()
  return {
    get targets(): [RawTarget, ...RawTarget[]] {
      const here = first.office.target('plain')
      return second ? [here, second.target] : [here]
    },
    ...deeds(() => first.office),
    settles: async () => {
      if (second) await passed(first, ground.papers[1].node.name)
    },
    async breaks() {
      const dying = second
      second = undefined
      await dying?.kill()
    },
    async mends() {
      second ??= await bear()
    },
    async [Symbol.asyncDispose]() {
      await second?.kill()
      await first.close()
      await ground.drop()
    },
  }
}

/** Two nodes, of which the second can be made to hang, in a process of its own: for a long time the first one does not suspect it. */
export async function openHangingNodes(): Promise<AsyncDisposable & { first: ClusterNode; second: NodeProcess }> {
  const ground = await openGround()
  const timings = { ...quick, heartbeatMs: 500, suspectMs: 60_000, goneMs: 120_000, frozenMs: 60_000 }
  const plan = { authority: ground.authority, connection: ground.connection, timings, epoch: 1 }
  const first = await openNode({ ...plan, papers: ground.papers[0] })
  const self = known(ground.papers[0], first.mesh.port)
  first.mesh.setNodes([self, known(ground.papers[1])])
  const second = await NodeProcess.start({ ...plan, papers: ground.papers[1], others: [self] })
  await linked(first, ground.papers[1].node.name)
  return {
    first,
    second,
    async [Symbol.asyncDispose]() {
      await second.kill()
      await first.close()
      await ground.drop()
    },
  }
}

/** What an administrator does, at the PC that `where` names. */
export function deeds(where: () => Office): Pick<House, 'adds' | 'removes' | 'sets' | 'ends'> {
  return {
    adds: async username =>
      void (await where().chat.parts.accounts.create({ username, password: `${username}-password` })),
    removes: username => where().chat.parts.accounts.remove(username),
    sets: (key, value) => where().chat.parts.settings.set(key, value, 'test'),
    ends: async jid => void (await where().chat.parts.everywhere.end(jid, 'kicked')),
  }
}

const compileCache = fileURLToPath(new URL('../../node_modules/.cache/lanthorn/compiled', import.meta.url))
/** A test runner that is ended leaves no nodes behind. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** A node in a process of its own. */
export class NodeProcess {
  readonly target: RawTarget
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, target: RawTarget) {
    this.#child = child
    this.target = target
  }

  /** Resolves when it is linked with the others, and people can log in. */
  static async start(plan: NodePlan & { readonly others: readonly ReturnType<typeof known>[] }): Promise<NodeProcess> {
    const program = fileURLToPath(new URL('node-process.ts', import.meta.url))
    const env = { ...process.env, NODE_COMPILE_CACHE: compileCache, NODE_OPTIONS: '' }
    const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'], env })
    running.add(child)
    child.once('exit', () => running.delete(child))
    child.stdin.end(JSON.stringify(plan))
    const line = once(createInterface({ input: child.stdout }), 'line')
    const [said] = (await withTimeout(Promise.race([line, once(child, 'exit')]), readyMs, () => {
      child.kill('SIGKILL')
      return `the second node was not ready within ${readyMs / 1000} s`
    })) as unknown[]
    if (typeof said !== 'string') throw new Error('the second node ended before it was ready')
    return new NodeProcess(child, (JSON.parse(said) as { target: RawTarget }).target)
  }

  /** Stops it in the middle of what it does, as a PC does that sleeps or swaps: its connections stay. */
  hang(): void {
    this.#child.kill('SIGSTOP')
  }

  goOn(): void {
    this.#child.kill('SIGCONT')
  }

  /** Ends it as a power cut would. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }
}
