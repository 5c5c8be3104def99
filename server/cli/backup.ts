/** `lanthorn backup …`. */
import { type Backup, type BackupJob, listBackups, makeBackup, proveBackup } from '../admin/contract/backups.ts'
import { readableBytes } from '../admin/words.ts'
import type { Client } from './client.ts'
import { follow } from './follow.ts'
import { marks } from './marks.ts'
import type { BackupCommand } from './parse-database.ts'

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

async function list(call: Client, json: boolean, { print }: Terminal): Promise<number> {
  const all = await call(listBackups)
  if (json) print(JSON.stringify(all))
  else print([`${marks[all.state]} ${all.sentence}`, `  in ${all.folder}`, ...all.backups.map(line)].join('\n'))
  return all.state === 'bad' ? 1 : 0
}

const line = ({ name, state, bytes, sentence }: Backup): string =>
  `${marks[state]} ${name}  ${readableBytes(bytes)}  ${sentence}`

/** Waits until a job is over and says how it went. @returns exit code 0, or 1 when it failed */
export async function wait(call: Client, begun: BackupJob, json: boolean, { print }: Terminal): Promise<number> {
  const last = await follow(async () => (await call(listBackups)).job ?? begun, {
    isOver: ({ state }) => state !== 'running',
    sentenceOf: ({ percent, sentence }) => `  ${String(Math.floor(percent)).padStart(3)} %  ${sentence}`,
    print: json ? () => undefined : print,
  })
  print(json ? JSON.stringify({ job: last }) : `${last.state === 'done' ? marks.ok : marks.bad} ${last.sentence}`)
  return last.state === 'done' ? 0 : 1
}
