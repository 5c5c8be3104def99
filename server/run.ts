import { fileURLToPath } from 'node:url'
import { Appliance } from './appliance.ts'
import { removeRunFile, writeRunFile } from './cli/run-file.ts'
import { readConfig } from './config.ts'
import { HeldTerminal } from './held-terminal.ts'
import { createLog, type Log } from './log.ts'
import { openDataFolder } from './node.ts'
import { readProgram } from './updates/program.ts'

/** Where package.json lies. */
const programFolder = fileURLToPath(new URL('..', import.meta.url))
/** A start that takes longer than this shows what it is doing. */
const HELD_MS = 5_000
/** How long a stop may take before the process ends anyway. */
const STOP_MS = 30_000

export interface RunOptions {
  /** Of this program. */
  readonly version: string
  readonly dataDir: string
  /** The autosetup file; read only while the data folder is empty. */
  readonly configFile: string | undefined
  /** Shows the admin pages in the browser once they answer. */
  readonly open: ((url: string) => void) | undefined
}

/** Errors whose message is the one sentence that the person who started us needs (exit code 2). */
const configurationFaults = new Set([
  'ConfigFault',
  'DataFolderFault',
  'MigrationFault',
  'DatabaseUrlFault',
  'DatabaseAway',
  'EmbeddedFault',
  'ListenFault',
  'CertificateFault',
  'SettingRefused',
  'AccountRefused',
  'JoinFault',
  'OccupiedFault',
  'RemovedFault',
])

/** Whether an error is about the configuration or the surroundings, and not a bug. */
export function isConfigurationFault(error: unknown): error is Error {
  return error instanceof Error && configurationFaults.has(error.name)
}

/**
 * `lanthorn run`: starts an appliance and keeps it until SIGTERM or SIGINT.
 * Prints `ready {…}` on stdout when people can log in, or `setup {…}` when the wizard waits for somebody: `link` opens it
 * on this PC, `elsewhere` on another one.
 * @returns the exit code
 * @throws configuration faults, each with one sentence
 */
export async function run(options: RunOptions): Promise<number> {
  const stopped = untilStopped()
  await using folder = await openDataFolder(options.dataDir)
  const config = folder.isEmpty && options.configFile !== undefined ? await readConfig(options.configFile) : undefined
  const terminal = new HeldTerminal(process.stderr)
  const log = createLog({ folder: folder.file('logs'), terminal })
  const appliance: Appliance = new Appliance({
    version: options.version,
    program: await readProgram(programFolder),
    folder,
    log,
    config,
    allowPlaintext: process.env.LANTHORN_TEST_PLAINTEXT === '1',
    onMoveStep: name => {
      if (process.env.LANTHORN_TEST_MOVE_DIES_AT === name) process.kill(process.pid, 'SIGKILL')
    },
    onListening: () => {
      const { url, runToken } = appliance.admin
      return writeRunFile(folder.dir, { pid: process.pid, adminUrl: url, token: runToken })
    },
    onReady: () => {
      terminal.release()
      announce(appliance)
    },
  })
  logCrashes(log, terminal)
  const patience = setTimeout(() => terminal.release(), HELD_MS)
  try {
    const early = await Promise.race([appliance.start(), stopped])
    if (early !== undefined) return 0
    terminal.release()
    if (!appliance.office) {
      const { admin } = appliance
      const elsewhere = admin.makeLinkElsewhere()
      const links = { link: admin.makeLink(), ...(elsewhere !== undefined && { elsewhere }) }
      print('setup', { pid: process.pid, adminUrl: admin.url, ...links })
    }
    options.open?.(appliance.admin.makeLink())
    const signal = await stopped
    log.logger.info({ signal }, 'stopping')
    return 0
  } finally {
    const late = setTimeout(() => {
      log.logger.fatal('stopping took too long')
      log.flushNow()
      process.exit(1)
    }, STOP_MS)
    clearTimeout(patience)
    await appliance.stop()
    await removeRunFile(folder.dir)
    clearTimeout(late)
    await log.close()
  }
}

/** DESIGN section 9: one line with everything that tests, provisioning and services need. */
function announce(appliance: Appliance): void {
  const { office, admin } = appliance
  if (!office) throw new Error('Ready without an office.')
  print('ready', {
    domain: office.identity.domain,
    node: office.identity.node,
    pid: process.pid,
    adminUrl: admin.url,
    ...office.ports,
    ...(appliance.clusterPort !== undefined && { cluster: appliance.clusterPort }),
    ...admin.ports,
  })
}

function print(word: 'ready' | 'setup', fields: object): void {
  process.stdout.write(`${word} ${JSON.stringify(fields)}\n`)
}

/** A second signal ends the process at once. */
function untilStopped(): Promise<NodeJS.Signals> {
  return new Promise(resolve => {
    let isStopping = false
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (isStopping && signal === 'SIGINT') process.exit(130)
        isStopping = true
        resolve(signal)
      })
    }
  })
}

/** A bug that nobody caught: told in the log, then the process ends, because its state is unknown. */
function logCrashes(log: Log, terminal: HeldTerminal): void {
  const crash = (error: unknown): void => {
    terminal.release()
    log.logger.fatal({ err: error }, 'the server ends because of an error in its own code')
    log.flushNow()
    process.exit(70)
  }
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
}
