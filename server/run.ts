import { mkdir, stat } from 'node:fs/promises'
import { Appliance } from './appliance.ts'
import { type RunFile, removeRunFile, writeRunFile } from './cli/run-file.ts'
import { readConfig } from './config.ts'
import { HeldTerminal } from './held-terminal.ts'
import { createLog, type Log } from './log.ts'
import { openDataFolder } from './node.ts'
import { programFolder } from './places.ts'
import { readProgram } from './updates/program.ts'

/** Where package.json lies. */
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
  /** Taken for `configFile` when that is not given; need not be there. */
  readonly autosetupFile: string | undefined
  /** Where run.json is written too, for others than the owner of the data folder. */
  readonly runFolder: string | undefined
  /** Shows the admin pages in the browser once they answer. */
  readonly open: ((url: string) => void) | undefined
}

/**
 * `lanthorn run`: starts an appliance and keeps it until SIGTERM or SIGINT.
 * Prints `ready {…}` on stdout when people can log in, or `setup {…}` when the wizard waits for somebody: `link` opens it
 * on this PC, `elsewhere` on another one.
 * @returns the exit code
 * @throws configuration faults, each with one sentence
 */
export async function run(options: RunOptions): Promise<number> {
  const stopping = new Stopping()
  await using folder = await openDataFolder(options.dataDir)
  const configFile = options.configFile ?? (await present(options.autosetupFile))
  const config = folder.isEmpty && configFile !== undefined ? await readConfig(configFile) : undefined
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
    onListening: async () => {
      const { url, runToken } = appliance.admin
      const content = { pid: process.pid, adminUrl: url, token: runToken }
      await writeRunFile(folder.dir, content)
      if (options.runFolder !== undefined) await shareRunFile(options.runFolder, content, log)
    },
    onStop: () => stopping.stop('tray'),
    onReady: () => {
      terminal.release()
      announce(appliance)
    },
  })
  logCrashes(log, terminal)
  const patience = setTimeout(() => terminal.release(), HELD_MS)
  try {
    const early = await Promise.race([appliance.start(), stopping.stopped])
    if (early !== undefined) return 0
    terminal.release()
    if (!appliance.office) {
      const { admin } = appliance
      const elsewhere = admin.makeLinkElsewhere()
      const links = { link: admin.makeLink(), ...(elsewhere !== undefined && { elsewhere }) }
      print('setup', { pid: process.pid, adminUrl: admin.url, ...links })
    }
    options.open?.(appliance.admin.makeLink())
    const by = await stopping.stopped
    log.logger.info({ by }, 'stopping')
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
    if (options.runFolder !== undefined) await unshareRunFile(options.runFolder, log)
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

/** The file, if it is there. One that cannot even be looked at counts as there: why is told by who reads it. */
async function present(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined
  try {
    await stat(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
  }
  return file
}

/** The tray and the command line of those who may read that folder find the server there too. Chat does not depend on it. */
async function shareRunFile(folder: string, content: RunFile, { logger }: Log): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o750 })
    await writeRunFile(folder, content, { isShared: true })
  } catch (error) {
    logger.warn({ err: error, folder }, 'run.json could not be written there: the tray does not find this server')
  }
}

async function unshareRunFile(folder: string, { logger }: Log): Promise<void> {
  try {
    await removeRunFile(folder)
  } catch (error) {
    logger.warn({ err: error, folder }, 'run.json could not be removed there')
  }
}

/** What ends the server: a signal, or the tray. A second Ctrl+C ends the process at once. */
class Stopping {
  readonly stopped: Promise<string>
  #isStopping = false
  #resolve: (by: string) => void = () => undefined

  constructor() {
    this.stopped = new Promise(resolve => {
      this.#resolve = resolve
    })
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (this.#isStopping && signal === 'SIGINT') process.exit(130)
        this.stop(signal)
      })
    }
  }

  /** @param by for the log */
  stop(by: string): void {
    this.#isStopping = true
    this.#resolve(by)
  }
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
