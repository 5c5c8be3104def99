/**
 * An office network inside this computer: a switch and some PCs, each a network namespace with an address of its own. Cables are pulled, packets
 * vanish, connections break, ports are looked at from outside. Needs root on Linux; everything is taken away again.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { canRun } from '../../faults/processes.ts'

/** Whether this computer lets the test make networks. */
export const canMakeNetworks = (() => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  const name = `lanthorn-${process.pid}-try`
  if (!canRun('ip', ['netns', 'add', name])) return false
  const works = canRun('ip', ['-n', name, 'link', 'add', 'name', 'one', 'type', 'veth', 'peer', 'name', 'two'])
  return canRun('ip', ['netns', 'delete', name]) && works
})()

/** Whether this computer's kernel ends connections on request, and there is the program that asks it to. */
export const canSever = (): boolean =>
  canMakeNetworks &&
  canRun(process.execPath, [
    '-e',
    `const n=require('net'),s=n.createServer().listen(0,'127.0.0.1',()=>{const{port}=s.address();const c=n.connect(port,'127.0.0.1',()=>{
      c.on('error',()=>process.exit(0));require('child_process').spawnSync('ss',['-HntK','dport','=',':'+port]);setTimeout(()=>process.exit(1),500)})})`,
  ])

/** One PC of the lab. */
export interface LabHost {
  readonly name: string
  readonly address: string
  /** Goes in front of a command, so that it runs on this PC. */
  readonly through: readonly string[]
}

/** A network of its own. `await using` takes it away. */
export class Lab implements AsyncDisposable {
  readonly hosts: readonly LabHost[]
  /** The address of this process on that network. */
  readonly gateway: string
  readonly #id: string
  readonly #folder: string

  private constructor(id: string, hosts: readonly LabHost[], gateway: string, folder: string) {
    this.#id = id
    this.hosts = hosts
    this.gateway = gateway
    this.#folder = folder
  }

  /** Makes a network with so many PCs; this process is on it too, at the switch. */
  static open(count: number): Lab {
    // The worker's number tells labs of one run apart, the process's those of different runs.
    const id = (process.pid % 4096).toString(36).padStart(3, '0')
    const net = `10.${100 + (process.pid % 100)}.${Math.floor(process.pid / 100) % 250}`
    const bridge = `lt${id}`
    // What a killed run with the same number left behind.
    spawnSync('ip', ['link', 'delete', bridge], { stdio: 'ignore' })
    ip('link', 'add', bridge, 'type', 'bridge', 'mcast_snooping', '0')
    ip('address', 'add', `${net}.254/24`, 'dev', bridge)
    ip('link', 'set', bridge, 'up')
    const hosts: LabHost[] = []
    for (let number = 1; number <= count; number++) {
      const namespace = `lt${id}-${number}`
      const cable = `${bridge}p${number}`
      spawnSync('ip', ['netns', 'delete', namespace], { stdio: 'ignore' })
      ip('netns', 'add', namespace)
      ip('link', 'add', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace)
      ip('link', 'set', cable, 'master', bridge, 'up')
      ip('-n', namespace, 'link', 'set', 'lo', 'up')
      ip('-n', namespace, 'address', 'add', `${net}.${number}/24`, 'dev', 'eth0')
      ip('-n', namespace, 'link', 'set', 'eth0', 'up')
      ip('-n', namespace, 'route', 'add', 'default', 'via', `${net}.254`)
      hosts.push({
        name: `pc-${number}`,
        address: `${net}.${number}`,
        through: ['ip', 'netns', 'exec', namespace],
      })
    }
    return new Lab(id, hosts, `${net}.254`, mkdtempSync(path.join(tmpdir(), 'lanthorn-lab-')))
  }

  /** A folder for files of this lab. */
  get folder(): string {
    return this.#folder
  }

  /** Pulls the cable of a PC: packets vanish, nobody is told. */
  cut(host: LabHost): void {
    ip('link', 'set', this.#cable(host), 'nomaster')
  }

  /** Plugs it in again. */
  heal(host: LabHost): void {
    ip('link', 'set', this.#cable(host), 'master', `lt${this.#id}`)
  }

  /** Gives a PC more addresses on this network, all with the same length of prefix. */
  more(host: LabHost, addresses: readonly string[], prefix: number): void {
    const lines = addresses.map(
      address => `address add ${address}/${prefix} dev eth0 ${address.includes(':') ? 'nodad' : ''}`,
    )
    run('ip', ['-n', host.through.at(-1) ?? '', '-batch', '-'], lines.join('\n'))
  }

  /** Nothing that one PC sends reaches the other any more, nobody is told; what comes from there still does. Both reach everybody else. */
  silence(from: LabHost, to: LabHost): void {
    ip('-n', namespaceOf(from), 'route', 'add', 'blackhole', `${to.address}/32`)
  }

  /** As before `silence`. */
  unsilence(from: LabHost, to: LabHost): void {
    ip('-n', namespaceOf(from), 'route', 'delete', 'blackhole', `${to.address}/32`)
  }

  /**
   * Breaks every TCP connection between two PCs at this port of either, as a switch does that is started anew: both ends are told at once.
   * @returns how many there were; 0 also where the kernel cannot do that
   */
  sever(one: LabHost, other: LabHost, port: number): number {
    const ends = ['dst', other.address, 'and', '(', 'sport', '=', `:${port}`, 'or', 'dport', '=', `:${port}`, ')']
    return this.on(one, 'ss', '-HntK', 'state', 'established', ...ends)
      .split('\n')
      .filter(line => line !== '').length
  }

  /** Runs a command on a PC to its end. @returns what it printed */
  on(host: LabHost, program: string, ...args: string[]): string {
    const [first = 'ip', ...rest] = host.through
    return run(first, [...rest, program, ...args])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const host of this.hosts) spawnSync('ip', ['netns', 'delete', namespaceOf(host)])
    spawnSync('ip', ['link', 'delete', `lt${this.#id}`])
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #cable(host: LabHost): string {
    return `lt${this.#id}p${this.hosts.indexOf(host) + 1}`
  }
}

const namespaceOf = ({ through }: LabHost): string => through.at(-1) ?? ''

function ip(...args: string[]): string {
  return run('ip', args)
}

function run(program: string, args: readonly string[], input = ''): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', input })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr || `ended with ${status}`}`)
  return stdout
}
