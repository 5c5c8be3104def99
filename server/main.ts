import { parseArgs } from 'node:util'
import { defaultDataFolder } from './node.ts'
import { isConfigurationFault, run } from './run.ts'

const { values } = parseArgs({
  args: process.argv.slice(2).filter(argument => argument !== 'run'),
  options: { data: { type: 'string' }, config: { type: 'string' }, 'no-open': { type: 'boolean' } },
})
try {
  process.exitCode = await run({
    dataDir: values.data ?? defaultDataFolder(),
    configFile: values.config,
    open: undefined,
  })
} catch (error) {
  if (!isConfigurationFault(error)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 2
}
