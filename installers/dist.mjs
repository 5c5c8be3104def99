// `npm run dist -- [options]`: sets up what a fresh clone lacks, then makes the installers (dist.ts).
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { root, SetUpError, say, serverNode, setUp } from './set-up.mjs'

try {
  await setUp({ ui: true })
} catch (error) {
  if (!(error instanceof SetUpError)) throw error
  say(error.message)
  process.exit(1)
}
const child = spawn(serverNode(), [join(root, 'installers', 'dist.ts'), ...process.argv.slice(2)], { stdio: 'inherit' })
child.on('close', code => process.exit(code ?? 1))
