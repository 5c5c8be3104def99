/** An office on a computer on which Lanthorn is installed as a package. */
import { readFile, stat } from 'node:fs/promises'
import { expect } from 'vitest'
import { anyFreePort, people, type Ready } from '../support/appliance.ts'
import { type ChatClient, logIn, type Reachable } from '../support/clients.ts'
import type { Computer } from '../support/computer.ts'

const { romeo, juliet } = people
const way = { library: '@xmpp/client', transport: 'STARTTLS' } as const
const domain = 'office.test'

/** Prints the line `ready …` of the present run of the service, when it comes. */
const waitUntilReady = `
for try in $(seq 300); do
  run=$(systemctl show --property InvocationID --value lanthorn)
  [ -n "$run" ] && journalctl --output cat "_SYSTEMD_INVOCATION_ID=$run" | grep --max-count 1 '^ready ' && exit
  sleep 0.2
done
journalctl --output cat --unit lanthorn --lines 20
exit 1
`

const autosetup = {
  domain,
  node: 'front-desk',
  admin: people.anna,
  people: [romeo, juliet],
  listen: { host: '127.0.0.1', ...anyFreePort },
  cluster: { enabled: false },
  settings: { 'passwords.iterations': 4096 },
}

export class InstalledOffice {
  readonly #computer: Computer
  #ready: Ready | undefined

  constructor(computer: Computer) {
    this.#computer = computer
  }

  /** A person who will install it, and a file beforehand that sets the office up. */
  async prepare(): Promise<void> {
    await this.#computer.must(['useradd', '--create-home', 'maria'])
    await this.#computer.write('/etc/lanthorn/autosetup.json', JSON.stringify(autosetup))
  }

  /** Installs the package. `by`: who does it with sudo. */
  async install(file: string, options: { by?: string } = {}): Promise<void> {
    const env = { DEBIAN_FRONTEND: 'noninteractive', ...(options.by && { SUDO_USER: options.by }) }
    await this.#computer.must(['dpkg', '--install', file], { env })
    const line = await this.#computer.must(['sh', '-c', waitUntilReady])
    this.#ready = JSON.parse(line.slice('ready '.length)) as Ready
  }

  async isServiceActive(): Promise<boolean> {
    return (await this.#computer.run(['systemctl', 'is-active', 'lanthorn'])).code === 0
  }

  /** The service runs, as its own account, and the person who installed it looks after it, in a session from before, too. */
  async expectRunning(version: string): Promise<void> {
    expect(await this.isServiceActive()).toBe(true)
    expect(await this.#computer.must(['systemctl', 'is-enabled', 'lanthorn'])).toBe('enabled\n')
    const mainPid = (await this.#computer.must(['systemctl', 'show', '-P', 'MainPID', 'lanthorn'])).trim()
    expect(await this.#computer.must(['ps', '-o', 'user=', '-p', mainPid])).toBe('lanthorn\n')
    const status = await this.#computer.must(['lanthorn', 'status'], { user: 'maria' })
    expect(status).toContain(`(${domain}) on front-desk, version ${version}`)
    const groups = ['setpriv', '--reuid=maria', '--regid=maria', '--clear-groups', 'lanthorn', 'status']
    expect(await this.#computer.must(groups)).toContain(`version ${version}`)
  }

  /** What is of the office is for its account only, and no stranger of this computer rules it. */
  async expectPrivate(): Promise<void> {
    expect((await stat(this.#computer.file('/var/lib/lanthorn'))).mode & 0o777).toBe(0o700)
    expect((await stat(this.#computer.file('/etc/lanthorn/autosetup.json'))).mode & 0o007).toBe(0)
    const stranger = await this.#computer.run(['lanthorn', 'status'], { user: 'games' })
    expect(stranger.code).not.toBe(0)
  }

  /** Romeo writes and Juliet reads, with a library of other people. */
  async exchange(text: string): Promise<void> {
    await using romeosClient = await this.#logIn(romeo)
    await using julietsClient = await this.#logIn(juliet)
    await romeosClient.message(julietsClient.bareJid, text)
    const message = await julietsClient.next(({ name, attrs }) => name === 'message' && attrs.type === 'chat')
    expect(message.getChildText('body')).toBe(text)
  }

  /** People, their passwords and what they wrote are still there. */
  async expectRemembered(text: string): Promise<void> {
    await using client = await this.#logIn(juliet)
    const archived = await client.queryArchive(`${romeo.username}@${domain}`)
    expect(archived.map(message => message.body)).toContain(text)
  }

  /** The answer that somebody who purges the package gives to its question. */
  async agreeToRemoveData(): Promise<void> {
    const answer = 'lanthorn lanthorn/remove-data boolean true'
    await this.#computer.must(['sh', '-c', `echo ${answer} | debconf-set-selections`])
  }

  async #logIn(person: { username: string; password: string }): Promise<ChatClient> {
    if (!this.#ready) throw new Error('not installed yet')
    const officeCaFile = this.#computer.file('/var/lib/lanthorn/certificates/office-ca.pem')
    const office: Reachable = {
      domain,
      host: '127.0.0.1',
      ready: this.#ready,
      officeCaFile,
      officeCa: () => readFile(officeCaFile, 'utf8'),
    }
    return await logIn(office, way, person)
  }
}
