/** The installing program in a process of its own, with shorter waits, and killed at a step when a test wants that: `node install-process.ts JSON`. */
import { type InstallOptions, installRequested, tidyUp } from '../../server/updates/install/install.ts'
import { ownService, systemdService } from '../../server/updates/install/service.ts'

const { diesAt, tidy, isOwn, ...places } = JSON.parse(process.argv[2] ?? '') as {
  dataDir: string
  stateDir: string
  top: string
  diesAt?: string
  tidy?: boolean
  isOwn?: boolean
}
const options: InstallOptions = {
  ...places,
  service: request =>
    isOwn ? ownService({ ...places, ...request, othersMs: 100 }) : systemdService('lanthorn.service'),
  log: sentence => void process.stdout.write(`${sentence}\n`),
  readyMs: 4_000,
  lookMs: 20,
  onStep: step => {
    if (step === diesAt) process.kill(process.pid, 'SIGKILL')
  },
}
await (tidy ? tidyUp(options, 'leave') : installRequested(options))
