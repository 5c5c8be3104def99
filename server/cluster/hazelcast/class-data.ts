/**
 * Java's class-data archive: the member starts with half the processor time. It belongs to one Java and one jar, so it is made on this computer:
 * once, beside the running member, at the lowest priority, by a second member that is alone, joins nobody and is ended as soon as it has started.
 */
import { spawn } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { access, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import type { Logger } from 'pino'
import type { HazelcastJar, Java } from './java.ts'
import { killWithUs } from './leftover.ts'
import { type HazelcastSettings, splitFlags } from './settings.ts'
import { memberConfiguration, printConfiguration } from './yaml.ts'

interface Parts {
  readonly folder: string
  readonly java: Java
  readonly jar: HazelcastJar
  readonly settings: HazelcastSettings
}

const makingLimitMs = 180_000
/** What could not be made is not tried again at every start: some week it may be possible, as the disk has room again. */
const tryAgainMs = 7 * 24 * 3_600_000
const outputMax = 4_000
const lowestPriority = 19

/** Options that make Java use the archive; none when there is none for this Java and jar. A damaged one is passed over by Java itself. */
export async function classDataFlags(parts: Parts): Promise<string[]> {
  const file = await archiveOf(parts)
  return (await exists(file)) ? [`-XX:SharedArchiveFile=${file}`, '-Xlog:cds=off', '-Xlog:cds+dynamic=off'] : []
}

/**
 * Makes the archive unless it is there or could not be made lately, and removes those of former Javas. Takes about ten seconds of one processor.
 * @returns whether one was made; a failure is told in the log and costs only a slower start of the member
 */
export async function makeClassData(parts: Parts & { readonly log: Logger }, signal: AbortSignal): Promise<boolean> {
  const file = await archiveOf(parts)
  const failure = `${file}.failed`
  // Without signals there is no end in order, which is when Java writes it.
  if (process.platform === 'win32' || (await exists(file)) || (await isRecent(failure))) return false
  const unfinished = `${file}.new`
  const config = path.join(parts.folder, 'class-data.yaml')
  try {
    await removeOthers(parts.folder)
    await writeFile(config, await aloneConfiguration(), { mode: 0o600 })
    const said = await runOnce(parts, { config, unfinished, signal })
    if (!(await exists(unfinished))) throw new Error(whyNot(parts.java, said))
    await rename(unfinished, file)
    parts.log.info({ file }, 'class data of the Hazelcast member made: its next start is faster')
    return true
  } catch (error) {
    if (signal.aborted) return false
    const why = error instanceof Error ? error.message : String(error)
    const sentence = `The Hazelcast member starts more slowly than it could, because its class data could not be made: ${why}`
    parts.log.info({ file }, sentence)
    await writeFile(failure, `${sentence}\n`, { mode: 0o600 }).catch(() => undefined) // a full disk: then it is tried at the next start
    return false
  } finally {
    for (const one of [unfinished, config]) await rm(one, { force: true })
  }
}

/** A runtime that was put together by jlink has no class data of its own, on which ours would build. */
function whyNot({ program }: Java, said: string): string {
  if (/base CDS archive is not loaded/.test(said))
    return `the Java at ${program} has none of its own. Who may write there makes them with “${program} -Xshare:dump”.`
  const last = said.trim().split('\n').at(-1) ?? ''
  return last === '' ? 'Java wrote none, and did not say why.' : `Java said: ${last.slice(0, 300)}`
}

/** @returns the last that it said */
async function runOnce(
  parts: Parts,
  { config, unfinished, signal }: { config: string; unfinished: string; signal: AbortSignal },
): Promise<string> {
  const options = [
    `-Xmx${parts.settings.memberHeapMegabytes}m`,
    ...splitFlags(parts.settings.memberFlags),
    `-XX:ArchiveClassesAtExit=${unfinished}`,
    `-Dhazelcast.config=${config}`,
    ...['-cp', parts.jar.file, 'com.hazelcast.core.server.HazelcastMemberStarter'],
  ]
  const child = spawn(parts.java.program, options, {
    cwd: parts.folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  await once(child, 'spawn')
  if (child.pid === undefined) return ''
  os.setPriority(child.pid, lowestPriority)
  const unwatch = killWithUs(child.pid)
  const limit = AbortSignal.any([signal, AbortSignal.timeout(makingLimitMs)])
  const kill = (): void => void child.kill('SIGKILL')
  limit.addEventListener('abort', kill, { once: true })
  let said = ''
  let isStarted = false
  const look = (chunk: string): void => {
    said = (said + chunk).slice(-outputMax)
    if (isStarted || !said.includes('is STARTED')) return
    isStarted = true
    child.kill('SIGTERM')
  }
  for (const output of [child.stdout, child.stderr]) output.setEncoding('utf8').on('data', look)
  await once(child, 'close')
  limit.removeEventListener('abort', kill)
  unwatch()
  limit.throwIfAborted()
  return said
}

/** A member that nobody can find: a name of its own, a free port, no other to look for. */
async function aloneConfiguration(): Promise<string> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  return printConfiguration(
    memberConfiguration({ number: 0, portBase: port, slots: [], clusterName: randomUUID(), jmx: false }),
  )
}

/** The name holds what an archive is bound to. */
async function archiveOf({ folder, java, jar, settings }: Parts): Promise<string> {
  const { mtimeMs } = await stat(jar.file)
  const bound = [java.program, (await stat(java.program)).mtimeMs, jar.file, mtimeMs, settings.memberFlags].join('\n')
  return path.join(folder, `classes-${createHash('sha256').update(bound).digest('hex').slice(0, 12)}.jsa`)
}

async function removeOthers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (/^classes-.*\.jsa/.test(name)) await rm(path.join(folder, name), { force: true })
  }
}

async function isRecent(file: string): Promise<boolean> {
  return await stat(file).then(
    ({ mtimeMs }) => Date.now() - mtimeMs < tryAgainMs,
    () => false,
  )
}

async function exists(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    () => false,
  )
}
