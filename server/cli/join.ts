/** `lanthorn join`: a PC without an office becomes one of an office that is there; with a server on the folder that does it, else this program. */
import { setTimeout as delay } from 'node:timers/promises'
import { getJoining, startJoining } from '../admin/contract/joining.ts'
import { hazelcastHere } from '../cluster/hazelcast/java.ts'
import { readAddress } from '../cluster/pairing/address.ts'
import { readJoinCode } from '../cluster/pairing/join-code.ts'
import { joinOffice } from '../cluster/pairing/joiner.ts'
import { JoinFault, type Welcome } from '../cluster/welcome.ts'
import { defaultCluster, defaultListen } from '../config.ts'
import { DataFolderFault, openDataFolder } from '../node.ts'
import { applicantOf, settleIn, withClusterPort } from '../nodes/settling-in.ts'
import { CallFault, type Client, connect, findRun } from './client.ts'
import type { JoinCommand } from './parse-nodes.ts'
import { readPiped } from './piped.ts'

interface Here {
  readonly folder: string
  /** Where a server of the system is found; undefined when the folder was named. */
  readonly runFolder?: string | undefined
  readonly version: string
  print(text: string): void
}

const LOOK_MS = 500

/** @returns exit code 0 when it is joined @throws CallFault, PipeFault */
export async function join(command: JoinCommand, here: Here): Promise<number> {
  const to = command.to === '-' ? ((await readPiped()) ?? '').trim() : command.to
  const isAddress = readAddress(to) !== undefined && !/^[A-Z0-9]+(-[A-Z0-9]{4}){2,}/i.test(to)
  if (await findRun(here.folder, here.runFolder))
    return joinRunning(await connect(here.folder, here.runFolder), to, isAddress, here)
  try {
    const { office, name } = await joinHere(to, isAddress, here)
    here.print(
      command.json
        ? JSON.stringify({ office, name })
        : `This PC is ${name} of ${office} now. Start it with “lanthorn run”.`,
    )
    return 0
  } catch (error) {
    if (error instanceof JoinFault || error instanceof DataFolderFault) throw new CallFault(error.message)
    throw error
  }
}

async function joinHere(to: string, isAddress: boolean, { folder: dir, version, print }: Here): Promise<Welcome> {
  await using folder = await openDataFolder(dir)
  if (!folder.isEmpty) {
    const { office, domain } = folder.state
    throw new CallFault(
      `The data folder ${dir} holds the office ${office ?? domain} already: name an empty one with --data, or start it and join on its page about the PCs.`,
    )
  }
  const listen = await withClusterPort(folder.state.listen ?? defaultListen())
  const applicant = await applicantOf({
    ...{ folder, name: folder.state.nodeName, listen, version },
    hazelcast: await hazelcastHere(),
  })
  const welcome = await joinOffice({
    ...(isAddress ? { address: to } : {}),
    way: isAddress ? { kind: 'compare' } : { kind: 'code', code: readCode(to) },
    applicant,
    onCode: (code, { node }) => print(`${code}\nDoes ${node} show the same? Ask the person there to press Accept.`),
  })
  await settleIn({ folder, welcome, listen, cluster: folder.state.cluster ?? defaultCluster() })
  return welcome
}

/** The wizard of the server that runs there does it. */
async function joinRunning(call: Client, to: string, isAddress: boolean, { print }: Here): Promise<number> {
  await call(startJoining, { body: isAddress ? { address: to } : { code: to } })
  let shown = ''
  for (;;) {
    const { joining } = await call(getJoining)
    const { state, code, pc, problem, sentence } = joining
    if (code !== undefined && code !== shown) {
      print(`${code}\nDoes ${pc ?? 'the other PC'} show the same? Ask the person there to press Accept.`)
      shown = code
    }
    if (state === 'failed') throw new CallFault(problem?.sentence ?? 'The office could not be joined.', problem)
    if (state === 'joined') {
      print(sentence ?? 'Joined.')
      return 0
    }
    await delay(LOOK_MS)
  }
}

function readCode(text: string) {
  try {
    return readJoinCode(text)
  } catch (error) {
    throw new CallFault(error instanceof Error ? error.message : 'This is no join code.')
  }
}
