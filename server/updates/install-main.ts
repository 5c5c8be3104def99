/**
 * The installing program: installs what the server has fetched and asked for. As a service of its own (lanthorn-update.service) it runs with all
 * rights, which the server does not have; so it believes nothing that the server's account could have written, and checks everything itself.
 */
import { parseArgs } from 'node:util'
import { sentenceOf } from './fault.ts'
import { type InstallOptions, installRequested, tidyUp } from './install/install.ts'
import { ownService, systemdService } from './install/service.ts'

/** A new version may have much to do at its first start; a database server may be slow to come back. */
const READY_MS = 5 * 60_000
const LOOK_MS = 1_000
const OTHERS_MS = 5_000

process.exitCode = await main()

/** `update --data DIR --program DIR --state DIR [--service UNIT] [--tidy]` */
async function main(): Promise<number> {
  const text = { type: 'string' } as const
  const options = { data: text, program: text, state: text, service: text, tidy: { type: 'boolean' } } as const
  const log = (sentence: string): void => void process.stdout.write(`${sentence}\n`)
  try {
    const { data, program, state, service, tidy } = parseArgs({ options, strict: true }).values
    if (data === undefined || program === undefined || state === undefined)
      throw new Error('The installing program needs --data, --program and --state.')
    const install: InstallOptions = {
      dataDir: data,
      stateDir: state,
      top: program,
      service: request =>
        service === undefined
          ? ownService({ dataDir: data, top: program, othersMs: OTHERS_MS, ...request })
          : systemdService(service),
      log,
      readyMs: READY_MS,
      lookMs: LOOK_MS,
    }
    await (tidy ? tidyUp(install, 'leave') : installRequested(install))
    return 0
  } catch (error) {
    // An update that failed is a result. This is something else, and is tried again.
    log(sentenceOf(error))
    return 1
  }
}
