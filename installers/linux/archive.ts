/** The .tar.gz that anybody unpacks and runs, without being an administrator: the server then runs while that person is logged in. */
import path from 'node:path'
import { must } from '../parts/fetch.ts'
import { run } from '../set-up.mjs'
import type { Target } from '../targets.ts'

const packMs = 10 * 60_000

/** @param app the unpacked app */
export async function makeArchive(options: {
  target: Target
  version: string
  app: string
  output: string
  isQuick: boolean
}): Promise<{ file: string }> {
  const { target, version, app, output, isQuick } = options
  const name = `lanthorn-${version}-${target.name}`
  const file = path.join(output, `${name}.tar.gz`)
  const folder = path.basename(app)
  const how = ['--owner=0', '--group=0', '--sort=name', `--transform=flags=r;s|^${folder}|${name}|`]
  const args = [
    '-C',
    path.dirname(app),
    ...how,
    `--use-compress-program=gzip ${isQuick ? '-1' : '-6'}`,
    '-cf',
    file,
    folder,
  ]
  await must('pack the archive', run('tar', args, { timeoutMs: packMs }))
  return { file }
}
