import { runCommand } from './cli/cli.ts'
import { openBrowser } from './cli/open-browser.ts'
import { parseCommand } from './cli/parse.ts'
import { systemRunFolder } from './cli/run-file.ts'
import { defaultDataFolder } from './node.ts'
import { ownVersion } from './places.ts'

process.exitCode = await main()

async function main(): Promise<number> {
  const command = parseCommand(process.argv.slice(2))
  const dataFolder = defaultDataFolder()
  const complain = (sentence: string): void => void process.stderr.write(`${sentence}\n`)
  if (command.name === 'misunderstood') {
    complain(command.sentence)
    return 2
  }
  const version = await ownVersion()
  if (command.name !== 'run') {
    const print = (text: string): void => void process.stdout.write(`${text}\n`)
    return runCommand(command, { version, dataFolder, runFolder: systemRunFolder(), print, complain })
  }
  const { data = dataFolder, config, open } = command
  // The commands above need none of the server.
  const { isConfigurationFault, run } = await import('./run.ts')
  try {
    return end(
      await run({
        ...{ version, dataDir: data, configFile: config, open: open ? openBrowser : undefined },
        autosetupFile: process.env.LANTHORN_AUTOSETUP || undefined,
        runFolder: process.env.LANTHORN_RUN_FOLDER || undefined,
      }),
    )
  } catch (error) {
    if (!isConfigurationFault(error)) throw error
    complain(error.message)
    return end(2)
  }
}

/** Everything was stopped in order: a connection to a database that hangs must not keep the process. */
function end(code: number): never {
  process.exit(code)
}
