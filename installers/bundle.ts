/** The server as few files of JavaScript, which start in half the time and need no node_modules. */
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { type OutputAsset, type OutputChunk, rolldown } from 'rolldown'
import { type BundledPackage, packagesOf } from './packages.ts'
import { root } from './set-up.mjs'

/**
 * Writes main.js, update.js (see bundleUpdater), a file for each feature in features/ (the server finds them by reading that folder, as in a checkout) and what they share.
 * All but the features lie side by side, so that for them the program's folder is the one above, as in a checkout too.
 * @param engine an older Node that shall understand it too, as rolldown names it
 * @returns the packages that are in it
 */
export async function bundleServer(folder: string, engine?: string): Promise<BundledPackage[]> {
  const server = path.join(root, 'server')
  const features = (await readdir(path.join(server, 'features'))).filter(name => /^[\w-]+\.ts$/.test(name))
  const entries = ['main.ts', ...features.map(name => `features/${name}`)]
  const input = Object.fromEntries(entries.map(name => [name.slice(0, -'.ts'.length), path.join(server, name)]))
  await using build = await rolldown({
    cwd: root,
    platform: 'node',
    input,
    ...(engine && { transform: { target: engine } }),
  })
  const { output } = await build.write({
    dir: folder,
    cleanDir: true,
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
  })
  const updater = await bundleUpdater(folder)
  return await packagesOf([...updater, ...modulesOf(output)])
}

/** update.js is one file of its own: it is copied elsewhere before it replaces the program that it came with. @returns what is in it */
async function bundleUpdater(folder: string): Promise<string[]> {
  const input = path.join(root, 'server', 'updates', 'install-main.ts')
  await using build = await rolldown({ cwd: root, platform: 'node', input })
  const { output } = await build.write({ file: path.join(folder, 'update.js'), format: 'esm', codeSplitting: false })
  return modulesOf(output)
}

const modulesOf = (output: readonly (OutputChunk | OutputAsset)[]): string[] =>
  output.flatMap(file => (file.type === 'chunk' ? file.moduleIds : []))
