/** The server as few files of JavaScript, which start in half the time and need no node_modules. */
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { rolldown } from 'rolldown'
import { type BundledPackage, packagesOf } from './packages.ts'
import { root } from './set-up.mjs'

/**
 * Writes main.js, a file for each feature in features/ (the server finds them by reading that folder, as in a checkout) and what they share.
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
  return await packagesOf(output.flatMap(file => (file.type === 'chunk' ? file.moduleIds : [])))
}
