/** What of a data folder an office needs besides its database to live again on a new PC: authority, certificates, secrets, who it is. */
import { mkdir, readFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import path from 'node:path'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { defaultListen } from '../config.ts'
import { writeDurably } from '../durable-file.ts'
import type { DataFolder, NodeState } from '../node.ts'
import { BackupFault } from './fault.ts'

const certificateFiles = ['office-ca.key', 'office-ca.pem', 'node.key', 'node.pem'] as const
/** The admin's own certificate, wherever it lay on the old PC. */
const ownFiles = ['own.key', 'own.pem'] as const
/** URLs with the passwords of databases, in use or kept, belong to the lost PC's servers. */
const isSecretOfDatabase = (name: string): boolean => /database|url/.test(name)

const OfficeFiles = Type.Object({
  format: Type.Literal(1),
  node: Type.Object({ nodeId: Type.String(), nodeName: Type.String(), epoch: Type.Integer() }),
  /** `listen` and `cluster` of node.json. */
  state: Type.Record(Type.String(), Type.Unknown()),
  secrets: Type.Record(Type.String(), Type.String()),
  certificates: Type.Record(Type.String(), Type.String()),
})
/** The secret part of a backup in the clear. */
export type OfficeFiles = Static<typeof OfficeFiles>

/** Gathers them. @throws Error when a file is there and cannot be read */
export async function gatherOfficeFiles(folder: DataFolder): Promise<OfficeFiles> {
  const { nodeId, nodeName, epoch, listen, cluster, tls } = folder.state
  const certificates: Record<string, string> = {}
  for (const name of certificateFiles) {
    const text = await readIfThere(folder.file('certificates', name))
    if (text !== undefined) certificates[name] = text
  }
  if (tls) {
    certificates['own.key'] = await readFile(tls.key, 'utf8')
    certificates['own.pem'] = await readFile(tls.certificate, 'utf8')
  }
  const kept = Object.entries(folder.secrets()).filter(([name]) => !isSecretOfDatabase(name))
  return {
    format: 1,
    node: { nodeId, nodeName, epoch },
    state: { ...(listen && { listen }), ...(cluster && { cluster }) },
    secrets: Object.fromEntries(kept),
    certificates,
  }
}

/** @throws BackupFault when the text is not what `gatherOfficeFiles` gave */
export function parseOfficeFiles(text: string): OfficeFiles {
  const parsed: unknown = JSON.parse(text)
  if (!Value.Check(OfficeFiles, parsed)) {
    throw new BackupFault('The keys of this backup were written by another version: restore it with that one.')
  }
  return parsed
}

/**
 * Puts certificates and secrets into a new data folder.
 * @returns what node.json needs; saved by the caller at the very end, because from then on there is an office
 */
export async function layOfficeFiles(
  folder: DataFolder,
  files: OfficeFiles,
): Promise<Partial<Omit<NodeState, 'format'>>> {
  await mkdir(folder.file('certificates'), { recursive: true, mode: 0o700 })
  for (const [name, text] of Object.entries(files.certificates)) {
    const isKnown = [...certificateFiles, ...ownFiles].some(one => one === name)
    if (isKnown) await writeDurably(folder.file('certificates', name), text)
  }
  await folder.saveSecrets(files.secrets)
  const { listen, cluster } = files.state as Pick<NodeState, 'listen' | 'cluster'>
  const hasOwn = ownFiles.every(name => name in files.certificates)
  return {
    nodeId: files.node.nodeId,
    nodeName: files.node.nodeName,
    // The lost PC may have been started again after the backup: no life of it may have the number of a new one.
    epoch: files.node.epoch + EPOCHS_LEFT_OUT,
    ...(listen && { listen: isOwnAddress(listen.host) ? listen : { ...listen, host: defaultListen().host } }),
    ...(cluster && { cluster }),
    ...(hasOwn && {
      tls: {
        certificate: path.resolve(folder.file('certificates', 'own.pem')),
        key: path.resolve(folder.file('certificates', 'own.key')),
      },
    }),
  }
}

const EPOCHS_LEFT_OUT = 1_000

/** The old PC's own address is not an address of this one. */
function isOwnAddress(host: string): boolean {
  if (!/^[\d.]+$/.test(host) && !host.includes(':')) return true
  if (host === '0.0.0.0' || host === '::' || host === '::1' || host.startsWith('127.')) return true
  return Object.values(networkInterfaces()).some(list => list?.some(({ address }) => address === host))
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
