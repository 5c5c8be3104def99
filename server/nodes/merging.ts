/** This PC leaves its own office and becomes one of another: people come along or stay behind, all old data stays in the folder under another name. */
import { copyFile, mkdir, readdir, rename } from 'node:fs/promises'
import path from 'node:path'
import type { Welcome } from '../cluster/welcome.ts'
import { syncFolder, writeDurably } from '../durable-file.ts'
import type { DataFolder } from '../node.ts'
import type { Office } from '../office.ts'
import { JoiningDesk, type JoiningOptions, joinSteps, type OnStep, type People } from './joining.ts'
import { arrivalSentence, gatherPeople, type Movers, settlePeople } from './people.ts'

const PEOPLE_FILE = 'people.json'
/** What belongs to the office that is left. Logs, backups, the key of this PC and what PostgreSQL's server is stay. */
const ofOffice = /^(database.*|certificates|office-nodes\.json|move\.json|hazelcast)$/

export interface MergingParts extends Pick<JoiningOptions, 'applicant' | 'offices' | 'log'> {
  readonly folder: DataFolder
  office(): Office | undefined
  /** Whether this PC is the only one of its office. */
  isAlone(): boolean
  busyWith(): string | undefined
  /** Ends chat here. @param sentence what pages say meanwhile */
  leave(sentence: string): Promise<void>
  settleIn(welcome: Welcome): Promise<void>
  /** The data folder belongs to the new office: opens it; tells of the steps `database` and `cluster` as they go. */
  join(step: OnStep): Promise<void>
  /** Opens whatever office the data folder belongs to, after something went wrong. */
  reopen(): Promise<void>
  sentence(): string
}

export function mergeDesk(parts: MergingParts): JoiningDesk {
  return new JoiningDesk({
    steps: joinSteps.merge,
    log: parts.log,
    applicant: () => parts.applicant(),
    offices: () => parts.offices(),
    refuse: () => {
      if (parts.isAlone()) return parts.busyWith()
      return 'Other PCs carry this office too. Remove this one from it first, or let the others join the new office one by one.'
    },
    settle: (welcome, step, people) => merge(parts, welcome, step, people),
  })
}

async function merge(parts: MergingParts, welcome: Welcome, step: OnStep, people: People | undefined): Promise<string> {
  const { folder } = parts
  const office = parts.office()
  if (!office) throw new Error('An office is left while it is open.')
  const { domain, office: name } = office.identity
  step('certificates', 'doing')
  const movers = people === 'bring' ? await gatherPeople(office.chat.parts.db, domain) : undefined
  await parts.leave(`This PC leaves ${name} and joins ${welcome.office}: this takes some seconds.`)
  const aside = folder.file(`left-${safeName(domain)}-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`)
  await setAside(folder, aside, movers)
  try {
    await forgetSecrets(folder)
    await parts.settleIn(welcome)
  } catch (error) {
    await parts.reopen().catch(() => undefined) // the first fault counts
    throw error
  }
  step('certificates', 'done')
  step('database', 'doing')
  await parts.join(step)
  let sentence = ''
  if (movers) {
    step('people', 'doing')
    sentence = ` ${await settle(parts, movers, welcome)}`
    step('people', 'done')
  }
  step('open', 'done')
  return `${parts.sentence()}${sentence} The data of ${name} is kept in ${path.basename(aside)} of the data folder.`
}

async function settle(parts: MergingParts, movers: Movers, welcome: Welcome): Promise<string> {
  const office = parts.office()
  if (!office) throw new Error('The new office is open by now.')
  const arrived = await settlePeople(office.chat.parts.db, movers, welcome.domain)
  office.chat.parts.accounts.doubtAll()
  office.chat.parts.rosters.doubtAll()
  return arrivalSentence(arrived, welcome.office)
}

/** Moves what belongs to the old office into a folder of its own, with copies of node.json and secrets.json. */
async function setAside(folder: DataFolder, aside: string, movers: Movers | undefined): Promise<void> {
  await mkdir(aside, { mode: 0o700 })
  for (const name of ['node.json', 'secrets.json']) await copyFile(folder.file(name), path.join(aside, name))
  if (movers) await writeDurably(path.join(aside, PEOPLE_FILE), JSON.stringify(movers))
  for (const name of await readdir(folder.dir)) {
    if (ofOffice.test(name)) await rename(folder.file(name), path.join(aside, name))
  }
  // The certificate that was just given is for this key.
  await mkdir(folder.file('certificates'), { mode: 0o700 })
  await copyFile(path.join(aside, 'certificates', 'link.key'), folder.file('certificates', 'link.key'))
  await syncFolder(folder.dir)
}

async function forgetSecrets(folder: DataFolder): Promise<void> {
  await folder.saveSecrets(Object.fromEntries(Object.keys(folder.secrets()).map(name => [name, undefined])))
}

const safeName = (domain: string): string => domain.replaceAll(/[^a-z0-9.-]/gi, '_').slice(0, 100)
