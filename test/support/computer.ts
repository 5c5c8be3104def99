/**
 * A throw-away computer: a copy of this one (its files by copy on write, in memory) with a systemd of its own, to install packages on. It shares
 * the network, so that clients of a test reach it. Needs root, Linux and namespaces; when the test ends, however it does, none of its processes and files are left.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { withTimeout } from './timeout.ts'

const systemd = '/lib/systemd/systemd'
const bootMs = 30_000
const commandMs = 90_000
const lookAgainMs = 50

/** Units that would touch this computer's kernel or devices, or take long. */
const masked = [
  'dev-hugepages.mount',
  'dev-mqueue.mount',
  'modprobe@.service',
  'proc-sys-fs-binfmt_misc.automount',
  'proc-sys-fs-binfmt_misc.mount',
  'sys-fs-fuse-connections.mount',
  'sys-kernel-config.mount',
  'sys-kernel-debug.mount',
  'sys-kernel-tracing.mount',
  'systemd-binfmt.service',
  'systemd-journal-flush.service',
  'systemd-journald-audit.socket',
  'systemd-modules-load.service',
  'systemd-random-seed.service',
  'systemd-remount-fs.service',
  'systemd-sysctl.service',
  'systemd-timesyncd.service',
  'systemd-tmpfiles-setup-dev.service',
  'systemd-tmpfiles-setup.service',
  'systemd-udev-trigger.service',
  'systemd-udevd.service',
  'systemd-update-utmp.service',
]

/** Layers a copy over the root folder. $1: an empty folder. */
const layer = `
set -e
mount -t tmpfs -o size=75% tmpfs "$1"
mkdir "$1/changes" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/changes,workdir=$1/work" "$1/root"
`

/** $2: the name of its control group. */
const boot = `${layer}
root="$1/root"
for unit in ${masked.join(' ')}; do ln -sf /dev/null "$root/etc/systemd/system/$unit"; done
# Containers have it, so that installing a package starts nothing: a computer does not.
rm -f "$root/usr/sbin/policy-rc.d"
mkdir "$1/groups"
mount -t cgroup2 cgroup2 "$1/groups"
mkdir "$1/groups/$2"
echo $$ > "$1/groups/$2/cgroup.procs"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,ro,bind "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
exec unshare --cgroup sh -c 'mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup" && exec env -i container=lanthorn \\
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin chroot "$1" ${systemd} --system --unit=sysinit.target' sh "$root"
`

/** Its control group outlives it. $1: an empty folder; $2: the name. */
const removeGroup = `mount -t cgroup2 cgroup2 "$1" && find "$1/$2" -depth -type d -exec rmdir {} +`

const ownMounts = ['--mount', '--propagation', 'private']

/** What a command of it said. */
export interface Said {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export class Computer implements AsyncDisposable {
  readonly #folder: string
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  #pid = 0
  #complaint = ''

  private constructor(folder: string) {
    this.#folder = folder
    const outside = [...ownMounts, '--pid', '--fork', '--kill-child', '--uts', '--ipc']
    this.#child = spawn('unshare', [...outside, 'sh', '-c', boot, 'sh', folder, path.basename(folder)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.#child.stderr?.setEncoding('utf8').on('data', text => {
      this.#complaint += text
    })
    this.#ended = new Promise(resolve => this.#child.once('close', () => resolve()))
  }

  /** Why there can be none here, as a sentence; undefined when there can. */
  static async obstacle(): Promise<string | undefined> {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'that takes root on Linux'
    if (!existsSync(systemd)) return 'there is no systemd here'
    const folder = await mkdtemp(path.join(os.tmpdir(), 'lanthorn-computer-'))
    try {
      await promisify(execFile)('unshare', [...ownMounts, 'sh', '-c', layer, 'sh', folder], { timeout: commandMs })
      return undefined
    } catch {
      return 'layers and namespaces are not allowed here'
    } finally {
      await rm(folder, { recursive: true })
    }
  }

  /** Starts one, and waits until its systemd takes orders. */
  static async boot(): Promise<Computer> {
    const computer = new Computer(await mkdtemp(path.join(os.tmpdir(), 'lanthorn-computer-')))
    try {
      await withTimeout(computer.#started(), bootMs, () => 'the computer of the test did not start')
    } catch (error) {
      await computer.close()
      throw error
    }
    return computer
  }

  /** Runs a program on it. `user`: as whom, with all groups of that person; root if absent. */
  async run(command: readonly string[], options: { user?: string; env?: Record<string, string> } = {}): Promise<Said> {
    const { user, env = {} } = options
    const inside = ['--target', String(this.#pid), '--mount', '--pid', '--uts', '--ipc', '--cgroup', '--root', '--wd']
    const person = user === undefined ? [] : ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups']
    const variables = Object.entries({ PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...env }).map(pair => pair.join('='))
    return await new Promise(resolve => {
      const args = [...inside, ...person, 'env', '-i', ...variables, ...command]
      execFile('nsenter', args, { timeout: commandMs, maxBuffer: 10e6 }, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
        resolve({ code, stdout, stderr })
      })
    })
  }

  /** The same; @throws Error with what it printed when it fails */
  async must(command: readonly string[], options: Parameters<Computer['run']>[1] = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(command, options)
    if (code !== 0) throw new Error(`${command.join(' ')} ended with code ${code}: ${stdout}${stderr}`)
    return stdout
  }

  /** The place of one of its files as seen from here. */
  file(name: string): string {
    return path.join(`/proc/${this.#pid}/root`, name)
  }

  /** Writes one of its files. */
  async write(name: string, content: string): Promise<void> {
    await mkdir(path.dirname(this.file(name)), { recursive: true })
    await writeFile(this.file(name), content)
  }

  async close(): Promise<void> {
    // Its systemd, which takes all its processes with it; unshare ends when they are gone.
    if (this.#pid > 0) process.kill(this.#pid, 'SIGKILL')
    else this.#child.kill('SIGKILL')
    await this.#ended
    const args = [...ownMounts, 'sh', '-c', removeGroup, 'sh', this.#folder, path.basename(this.#folder)]
    await promisify(execFile)('unshare', args, { timeout: commandMs })
    await rm(this.#folder, { recursive: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Looked for again and again: nothing tells when systemd begins to listen. It then says itself when it is done. */
  async #started(): Promise<void> {
    for (;;) {
      if (this.#child.exitCode !== null) throw new Error(`the computer of the test ended: ${this.#complaint}`)
      const { pid } = this.#child
      const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
      this.#pid = Number(children.trim())
      const isBooted = this.#pid > 0 && existsSync(this.file('/run/systemd/private'))
      if (isBooted && /running|degraded/.test((await this.run(['systemctl', 'is-system-running', '--wait'])).stdout))
        return
      await new Promise(resolve => setTimeout(resolve, lookAgainMs))
    }
  }
}
