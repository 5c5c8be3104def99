/** The shell as Electron runs it: one CommonJS file, its pictures, and a package.json. As a program: `node app/build.ts FOLDER`. */
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const app = fileURLToPath(new URL('.', import.meta.url))
/** The oldest V8 that it runs on: that of the Electron of the tests (9.4). */
const OLDEST = 'chrome83'

/**
 * Writes it into an empty folder.
 * @throws Error when something of the server would get into it
 */
export async function bundleApp(folder: string): Promise<void> {
  const about = JSON.parse(await readFile(path.join(app, '..', 'package.json'), 'utf8')) as Record<string, unknown>
  await rm(folder, { recursive: true, force: true })
  await mkdir(path.join(folder, 'icons'), { recursive: true })
  await using build = await rolldown({
    input: path.join(app, 'main.ts'),
    platform: 'node',
    external: ['electron'],
    transform: { target: OLDEST },
  })
  const { output } = await build.write({
    file: path.join(folder, 'main.cjs'),
    format: 'cjs',
    // Its Node (12) knows its own modules by their short names only.
    paths: id => id.replace(/^node:/, ''),
  })
  for (const file of output) if (file.type === 'chunk') refuseStrangers(file.moduleIds)
  const { version, license, description } = about
  const shell = { name: 'lanthorn', productName: 'Lanthorn', version, description, license, main: 'main.cjs' }
  await writeFile(path.join(folder, 'package.json'), `${JSON.stringify(shell, undefined, 2)}\n`)
  for (const name of await readdir(path.join(app, 'icons'))) {
    if (!name.endsWith('.ts')) await cp(path.join(app, 'icons', name), path.join(folder, 'icons', name))
  }
}

/** The shell is thin: types come from the contract, but nothing that runs. */
function refuseStrangers(moduleIds: readonly string[]): void {
  const strangers = moduleIds.filter(id => path.isAbsolute(id) && !id.startsWith(app))
  if (strangers.length > 0) throw new Error(`The shell may hold its own modules only, not ${strangers.join(', ')}.`)
}

const [program, folder] = process.argv.slice(1)
if (program === fileURLToPath(import.meta.url)) {
  if (folder === undefined) throw new Error('Name the folder to write to.')
  await bundleApp(path.resolve(folder))
}
