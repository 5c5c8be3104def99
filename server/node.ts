/** This node's data folder: who it is, how it reaches the database and its neighbours, and its secrets. Everything else is in the database. */
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rm, statfs, writeFile } from 'node:fs/promises'
import { homedir, hostname } from 'node:os'
import path from 'node:path'
import type { ClusterConfig, Listen } from './config.ts'
import { writeDurably } from './durable-file.ts'
import { type FolderLock, lockFolder } from './folder-lock.ts'

/** What node.json holds. A folder in which nobody finished the set-up has no `domain` yet. */
export interface NodeState {
  /** Version of this file's format. */
  format: number
  /** Made once, never changes. */
  nodeId: string
  nodeName: string
  /** How often this node was started: tells its present life from former ones. */
  epoch: number
  office?: string
  domain?: string
  listen?: Listen
  /** An own certificate of the admin instead of the office's. */
  tls?: { certificate: string; key: string } | undefined
  cluster?: Omit<ClusterConfig, 'token'>
  /** Taken out: nobody logs in here until then (ISO 8601), or, when it is null, until somebody puts it back. */
  pausedUntil?: string | null | undefined
}

/** What is written to secrets.json: nothing of it is ever shown. */
interface Secrets {
  [name: string]: string
}

/** A data folder that cannot be used; the message is a sentence for the person who started the program. */
export class DataFolderFault extends Error {
  override readonly name = 'DataFolderFault'
}

/** The open data folder of a running node. */
export interface DataFolder extends AsyncDisposable {
  readonly dir: string
  /** A copy of what is saved; change it with `update`. */
  readonly state: Readonly<NodeState>
  /** Nobody has finished the set-up here: an autosetup file may be read, or the wizard is shown. */
  readonly isEmpty: boolean
  /** Saves changes; on disk when it resolves. */
  update(changes: Partial<Omit<NodeState, 'format' | 'nodeId' | 'epoch'>>): Promise<void>
  /** Takes over who a lost node was, from its backup. On disk when it resolves. */
  become(state: Partial<Omit<NodeState, 'format'>>): Promise<void>
  /** A secret by name. */
  secret(name: string): string | undefined
  /** A copy of all secrets, for a backup. */
  secrets(): Record<string, string>
  /** Saves secrets; undefined takes one away. On disk when it resolves. */
  saveSecrets(changes: Record<string, string | undefined>): Promise<void>
  /** The secret of this name, made at random (256 bits) at the first call. */
  randomSecret(name: string): Promise<string>
  /** Absolute name of a file or folder inside. */
  file(...names: string[]): string
  /** Gives the folder free for another process. */
  close(): Promise<void>
}

const formatVersion = 1
const freeBytesMin = 100_000_000

/** Where a node keeps its data when nobody says otherwise. */
export function defaultDataFolder(environment: NodeJS.ProcessEnv = process.env, platform = process.platform): string {
  const home = homedir()
  switch (platform) {
    case 'win32':
      return path.win32.join(environment.LOCALAPPDATA ?? path.win32.join(home, 'AppData', 'Local'), 'Lanthorn')
    case 'darwin':
      return path.join(home, 'Library', 'Application Support', 'Lanthorn')
    default:
      if (process.getuid?.() === 0) return '/var/lib/lanthorn'
      return path.join(environment.XDG_DATA_HOME || path.join(home, '.local', 'share'), 'lanthorn')
  }
}

/** Stands in a data folder while a backup is restored into it: half an office must not be taken for one. */
export const RESTORING = 'restoring'

/**
 * Opens a data folder, makes it when missing, and keeps other processes out until `close()`.
 * @param options.toRestore a backup is to be restored into it: there must be no office yet
 * @throws DataFolderFault with a sentence: not writable, disk full, in use, of a newer version, not ours, half restored
 */
export async function openDataFolder(dir: string, options: { toRestore?: boolean } = {}): Promise<DataFolder> {
  const folder = path.resolve(dir)
  await makeWritable(folder)
  await refuseFullDisk(folder)
  const lock = await lockFolder(folder)
  if ('heldBy' in lock) {
    throw new DataFolderFault(
      `The data folder ${folder} is in use by another Lanthorn (process ${lock.heldBy}): stop that one, or give this one a folder of its own with --data.`,
    )
  }
  try {
    const state = await readState(folder)
    await refuseHalfRestored(folder, state, options.toRestore === true)
    const secrets = (await readJson<Secrets>(path.join(folder, 'secrets.json'))) ?? {}
    const opened = new OpenFolder(folder, lock, { ...state, epoch: state.epoch + 1 }, secrets)
    await opened.update({})
    return opened
  } catch (error) {
    await lock.release()
    throw error
  }
}

class OpenFolder implements DataFolder {
  readonly dir: string
  readonly #lock: FolderLock
  #state: NodeState
  #secrets: Secrets
  #saving: Promise<void> = Promise.resolve()

  constructor(dir: string, lock: FolderLock, state: NodeState, secrets: Secrets) {
    this.dir = dir
    this.#lock = lock
    this.#state = state
    this.#secrets = secrets
  }

  get state(): Readonly<NodeState> {
    return structuredClone(this.#state)
  }

  get isEmpty(): boolean {
    return this.#state.domain === undefined
  }

  update(changes: Partial<Omit<NodeState, 'format' | 'nodeId' | 'epoch'>>): Promise<void> {
    const next = { ...this.#state, ...changes }
    this.#state = next
    return this.#save('node.json', next)
  }

  become(state: Partial<Omit<NodeState, 'format'>>): Promise<void> {
    const next = { ...this.#state, ...state }
    this.#state = next
    return this.#save('node.json', next)
  }

  secret(name: string): string | undefined {
    return this.#secrets[name]
  }

  secrets(): Record<string, string> {
    return { ...this.#secrets }
  }

  saveSecrets(changes: Record<string, string | undefined>): Promise<void> {
    const next = { ...this.#secrets }
    for (const [name, value] of Object.entries(changes)) {
      if (value === undefined) delete next[name]
      else next[name] = value
    }
    this.#secrets = next
    return this.#save('secrets.json', next)
  }

  async randomSecret(name: string): Promise<string> {
    const known = this.#secrets[name]
    if (known !== undefined) return known
    const made = randomBytes(32).toString('base64url')
    await this.saveSecrets({ [name]: made })
    return made
  }

  file(...names: string[]): string {
    return path.join(this.dir, ...names)
  }

  async close(): Promise<void> {
    await this.#saving
    await this.#lock.release()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** One write after the other; each holds all changes made until it began. */
  #save(name: string, content: object): Promise<void> {
    const saved = this.#saving.then(() => writeDurably(this.file(name), `${JSON.stringify(content, undefined, 2)}\n`))
    this.#saving = saved.catch(() => undefined) // told to the caller of this save; the next one is tried anew
    return saved
  }
}

async function refuseHalfRestored(folder: string, state: NodeState, isToRestore: boolean): Promise<void> {
  if (isToRestore && state.domain !== undefined) {
    throw new DataFolderFault(
      `The data folder ${folder} holds the office ${state.office ?? state.domain} already: restore into an empty folder with --data, or start that office and restore there.`,
    )
  }
  if (isToRestore || !(await readdir(folder)).includes(RESTORING)) return
  throw new DataFolderFault(
    `Restoring a backup into the data folder ${folder} was interrupted: do it again with “lanthorn restore”, or choose another folder with --data.`,
  )
}

async function makeWritable(folder: string): Promise<void> {
  const probe = path.join(folder, `.writable-${process.pid}`)
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await writeFile(probe, '')
    await rm(probe)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOSPC') throw fullDisk(folder, 0)
    const why =
      code === 'EACCES' || code === 'EPERM'
        ? 'this user may not write there'
        : code === 'EROFS'
          ? 'the disk is read-only'
          : code === 'ENOTDIR' || code === 'EEXIST'
            ? 'a part of this name is a file'
            : String(error)
    throw new DataFolderFault(`The data folder ${folder} cannot be used: ${why}. Choose another with --data.`)
  }
}

async function refuseFullDisk(folder: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  const free = bavail * bsize
  if (free < freeBytesMin) throw fullDisk(folder, free)
}

function fullDisk(folder: string, free: number): DataFolderFault {
  const megabytes = (bytes: number) => Math.floor(bytes / 1_000_000)
  return new DataFolderFault(
    `The disk of the data folder ${folder} is full (${megabytes(free)} MB free, ${megabytes(freeBytesMin)} MB needed): make room, or choose another folder with --data.`,
  )
}

async function readState(folder: string): Promise<NodeState> {
  const file = path.join(folder, 'node.json')
  const known = await readJson<NodeState>(file)
  if (known) {
    if (known.format === formatVersion) return known
    throw new DataFolderFault(
      `The data folder ${folder} was written by a newer version of Lanthorn (format ${known.format}, this one knows ${formatVersion}): install that version, or restore a backup.`,
    )
  }
  await refuseForeign(folder)
  const nodeName = hostname().split('.')[0]?.toLowerCase() || 'node'
  return { format: formatVersion, nodeId: randomUUID(), nodeName, epoch: 0 }
}

/** A folder with other people's files in it is surely a mistake in the name; our own first start leaves only these. */
async function refuseForeign(folder: string): Promise<void> {
  const foreign = (await readdir(folder)).filter(
    name =>
      !/^(lock.*|logs|lost\+found|certificates|database.*|restoring|scratch|backups|\..*|hazelcast|(node|secrets|office-nodes)\.json\.new|office-nodes\.json)$/.test(
        name,
      ),
  )
  if (foreign.length === 0) return
  throw new DataFolderFault(
    `The data folder ${folder} holds other files (${foreign.slice(0, 3).join(', ')}) and no node.json: choose an empty or new folder with --data.`,
  )
}

async function readJson<T>(file: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as T
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    if (error instanceof SyntaxError) {
      throw new DataFolderFault(`The file ${file} is damaged (${error.message}): put it back from a backup.`)
    }
    throw new DataFolderFault(`The file ${file} cannot be read: ${error instanceof Error ? error.message : error}.`)
  }
}
