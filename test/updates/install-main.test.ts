/** The installing program as it is shipped: one file. */
import { execFile } from 'node:child_process'
import { builtinModules } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { rolldown } from 'rolldown'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../support/database.ts'

const main = fileURLToPath(new URL('../../server/updates/install-main.ts', import.meta.url))
const server = path.join(path.dirname(main), '..')
const run = promisify(execFile)

test('the installing program is one file that needs nothing but Node, and says what it needs to be told', async () => {
  const file = path.join(await temporaryFolder(), 'update.js')
  const bundle = await rolldown({ input: main, platform: 'node' })
  const { output } = await bundle.write({ file, format: 'esm' })
  await bundle.close()
  expect(output).toHaveLength(1)
  const { imports, moduleIds } = output[0]
  expect(imports.filter(name => !builtinModules.includes(name.replace(/^node:/, '')))).toEqual([])
  // What runs with all rights is these files and nothing else; a further one is to be thought about.
  expect(moduleIds.map(id => path.relative(server, id)).sort()).toEqual([
    'durable-file.ts',
    ...['fault', 'install-main'].map(name => `updates/${name}.ts`),
    ...['check-package', 'install', 'journal', 'method', 'program-copy', 'readiness', 'run-program', 'service'].map(
      name => `updates/install/${name}.ts`,
    ),
    ...['manifest', 'program', 'request'].map(name => `updates/${name}.ts`),
    'versions.ts',
  ])
  await expect(run(process.execPath, [file])).rejects.toMatchObject({
    code: 1,
    stdout: 'The installing program needs --data, --program and --state.\n',
  })
})
