/** `lanthorn backup …` and `lanthorn restore …`. */
import {
  type Backup,
  type BackupJob,
  listBackups,
  makeBackup,
  proveBackup,
  restoreBackup,
} from '../admin/contract/backups.ts'
import { getSession } from '../admin/contract/session.ts'
import { readableBytes } from '../admin/words.ts'
import { CallFault, type Client } from './client.ts'
import { follow } from './follow.ts'
import { marks } from './marks.ts'
import type { BackupCommand, RestoreCommand } from './parse-database.ts'
import { readUrl } from './piped.ts'

interface Terminal {
  print(text: string): void
}

/** Makes, lists or proves backups. @returns exit code 0, or 1 when it failed @throws CallFault */
export async function backup(call: Client, command: BackupCommand, terminal: Terminal): Promise<number> {
  if (command.action === 'list') return list(call, command.json, terminal)
  const job = await (command.action === 'make'
    ? call(makeBackup)
    : call(proveBackup, { params: { name: command.backup } }))
  return wait(call, job, command.json, terminal)
}

/** Puts the office back to a backup. @returns exit code 0, or 1 when it failed @throws CallFault, PipeFault */
export async function restore(call: Client, command: RestoreCommand, terminal: Terminal): Promise<number> {
  if (!command.isSure)
    throw new CallFault('This puts the whole office back to the time of that backup: say --yes if you mean it.')
  const url = command.url === undefined ? undefined : await readUrl(command.url)
  const { domain = '' } = await call(getSession)
  const body = { confirm: domain, ...(url !== undefined && { url }) }
  return wait(call, await call(restoreBackup, { params: { name: command.from }, body }), command.json, terminal)
}

async function list(call: Client, json: boolean, { print }: Terminal): Promise<number> {
  const all = await call(listBackups)
  if (json) print(JSON.stringify(all))
  else print([`${marks[all.state]} ${all.sentence}`, `  in ${all.folder}`, ...all.backups.map(line)].join('\n'))
  return all.state === 'bad' ? 1 : 0
}

const line = ({ name, state, bytes, sentence }: Backup): string =>
  `${marks[state]} ${name}  ${readableBytes(bytes)}  ${sentence}`

async function wait(call: Client, begun: BackupJob, json: boolean, { print }: Terminal): Promise<number> {
  const last = await follow(async () => (await call(listBackups)).job ?? begun, {
    isOver: ({ state }) => state !== 'running',
    sentenceOf: ({ percent, sentence }) => `  ${String(Math.floor(percent)).padStart(3)} %  ${sentence}`,
    print: json ? () => undefined : print,
  })
  print(json ? JSON.stringify({ job: last }) : `${last.state === 'done' ? marks.ok : marks.bad} ${last.sentence}`)
  return last.state === 'done' ? 0 : 1
}
