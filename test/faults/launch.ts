/** Starts the server as a service would, for starts that are meant to fail: what it says and with which code it ends. */
import { spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ApplianceConfig, people } from '../support/appliance.ts'
import { withTimeout } from '../support/timeout.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const endMs = 60_000

/** The program as node runs it. */
export const serverMain = path.join(root, 'server', 'main.ts')

export interface Outcome {
  /** Exit code; -1 when a signal ended it. */
  code: number
  stdout: string
  stderr: string
}

/** A correct autosetup file on free ports; keys given replace its own. */
export function goodConfig(changes: Record<string, unknown> = {}): ApplianceConfig {
  const names = ['c2s', 'c2sTls', 's2s', 's2sTls', 'component', 'web', 'webPlain', 'admin', 'adminPlain', 'cluster']
  return {
    office: 'ACME',
    domain: 'office.test',
    node: 'front-desk',
    admin: people.anna,
    people: [people.romeo, people.juliet],
    listen: { host: '127.0.0.1', ...Object.fromEntries(names.map(name => [name, 0])) },
    ...changes,
  }
}

/**
 * Runs the server on `folder`/data with `folder`/config.json until it ends by itself, or until it is ready: then it is asked to stop.
 * @param config the file's text, or what to write into it as JSON; undefined: without a file
 * @param env added to the environment
 */
export async function launch(
  folder: string,
  config: unknown,
  dataDir = path.join(folder, 'data'),
  env: Record<string, string> = {},
): Promise<Outcome> {
  const configFile = path.join(folder, 'config.json')
  await mkdir(folder, { recursive: true })
  if (config !== undefined) {
    await writeFile(configFile, typeof config === 'string' ? config : JSON.stringify(config, undefined, 2))
  }
  const args = [serverMain, 'run', '--no-open', '--data', dataDir]
  const child = spawn(process.execPath, config === undefined ? args : [...args, '--config', configFile], {
    cwd: folder,
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const outcome: Outcome = { code: -1, stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', text => {
    outcome.stdout += text
    if (/^ready \{/m.test(outcome.stdout)) child.kill('SIGTERM')
  })
  child.stderr.setEncoding('utf8').on('data', text => {
    outcome.stderr += text
  })
  const ended = new Promise<void>(resolve => {
    child.on('close', code => {
      outcome.code = code ?? -1
      resolve()
    })
  })
  await withTimeout(ended, endMs, () => {
    child.kill('SIGKILL')
    return `the server neither ended nor got ready:\n${outcome.stdout}\n${outcome.stderr}`
  })
  return outcome
}

/** Whether that start got as far as `ready`. */
export function wasReady({ stdout }: Outcome): boolean {
  return /^ready \{/m.test(stdout)
}
