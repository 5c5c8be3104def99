/** `lanthorn db test|status|trust`: where the data is, whether other PostgreSQL servers can be used, and which of them to believe. */
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { type DatabaseHost, type DatabaseStatus, getDatabase } from '../admin/contract/database.ts'
import { readableBytes } from '../admin/words.ts'
import { MEMORY_FILE } from '../db/hosts/memory.ts'
import { tryDatabase } from '../db/inspect/inspect.ts'
import type { Inspection } from '../db/inspect/inspection.ts'
import { lockFolder } from '../folder-lock.ts'
import type { Client } from './client.ts'
import { marks } from './marks.ts'
import { readUrl } from './piped.ts'

interface Output {
  readonly json: boolean
  print(text: string): void
}

/**
 * Looks at every server of a URL from this PC; the running server is not asked.
 * @param url in any spelling, or `-`
 * @returns exit code 0 when it can be used, else 1
 * @throws PipeFault
 */
export async function testDatabase(url: string, { json, print }: Output): Promise<number> {
  const inspection = await tryDatabase(await readUrl(url))
  if (json) print(JSON.stringify(inspection))
  else for (const line of inspectionLines(inspection)) print(line)
  return inspection.state === 'bad' ? 1 : 0
}

/** Says where the data is and how the servers are. @returns exit code 0, or 1 when it cannot be used @throws CallFault */
export async function databaseStatus(call: Client, { json, print }: Output): Promise<number> {
  const status = await call(getDatabase)
  if (json) print(JSON.stringify(status))
  else for (const line of statusLines(status)) print(line)
  return status.state === 'bad' ? 1 : 0
}

/**
 * Forgets which outside database this PC has used: the next start takes the one it finds.
 * @returns exit code 0, or 1 while a server runs on the folder
 */
export async function trust(folder: string, { json, print }: Output): Promise<number> {
  const lock = await lockFolder(folder)
  if ('heldBy' in lock) {
    const sentence = `The server runs on ${folder}: stop it first, so that it does not go on with what it knows.`
    print(json ? JSON.stringify({ forgotten: false, sentence }) : `${marks.bad} ${sentence}`)
    return 1
  }
  try {
    await rm(path.join(folder, MEMORY_FILE), { force: true })
  } finally {
    await lock.release()
  }
  const sentence = 'Forgotten. The next start trusts the database servers that it finds behind the URL.'
  print(json ? JSON.stringify({ forgotten: true, sentence }) : `${marks.ok} ${sentence}`)
  return 0
}

function inspectionLines({ state, sentence, hosts, findings, spellings }: Inspection): string[] {
  return [
    `${marks[state]} ${sentence}`,
    ...hosts.map(hostLine),
    ...findings.flatMap(finding => [
      `${marks[finding.state]} ${finding.sentence}`,
      ...(finding.advice === undefined ? [] : indented(finding.advice)),
    ]),
    ...(spellings
      ? [
          'The same in other spellings:',
          `  libpq    ${spellings.libpq}`,
          `  JDBC     ${spellings.jdbc}`,
          `  Npgsql   ${spellings.npgsql}`,
          `  keywords ${spellings.keywords}`,
        ]
      : []),
  ]
}

function statusLines(status: DatabaseStatus): string[] {
  const { state, sentence, url, bytes, version, hosts, replication, changes, move, old } = status
  const facts = [version && `PostgreSQL ${version}`, bytes !== undefined && readableBytes(bytes)].filter(Boolean)
  return [
    `${marks[state]} ${sentence}`,
    `  ${[url, ...facts].join(', ')}`,
    ...hosts.map(hostLine),
    ...(hosts.length > 1 ? [`  ${replication.sentence}`] : []),
    ...(move ? [`  Move to ${move.to}: ${move.sentence}`] : []),
    ...old.map(one => `  Kept since ${one.keptSince.slice(0, 10)}: ${one.place}`),
    ...changes.slice(0, 5).map(change => `  ${change.at.slice(0, 19).replace('T', ' ')}  ${change.sentence}`),
  ]
}

const hostLine = ({ host, state, sentence }: DatabaseHost): string => `  ${marks[state]} ${host}  ${sentence}`
const indented = (text: string): string[] => text.split('\n').map(line => `    ${line}`)
