import { getJoining, type Joining, startJoining, stopJoining } from '../../../server/admin/contract/joining.ts'
import { CallFailed, call, type Trouble, troubleIn } from '../api.ts'
import { Loaded } from '../state/loaded.svelte.ts'

/** Joining an office from the wizard: what was found on the network, and where it stands. */
export const found = new Loaded(() => call(getJoining))

/** What the person chose; kept while the pages of the wizard come and go. */
export const choice = $state({ way: '', address: '', code: '', details: false, touched: false })

const last = $state<{ trouble?: Trouble | undefined; putAside: boolean }>({ putAside: false })

/** Where joining stands; undefined while none goes on, or its failure was put aside. Reactive. */
export function joining(): Joining | undefined {
  const now = found.value?.joining
  if (!now || now.state === 'idle' || (now.state === 'failed' && last.putAside)) return undefined
  return now
}

/** Why joining could not be begun; reactive. */
export function joinTrouble(): Trouble | undefined {
  return last.trouble
}

/** Begins to join. What comes of it stands in {@link joining}, or in {@link joinTrouble}. */
export async function join(way: { address: string } | { code: string }): Promise<void> {
  last.trouble = undefined
  last.putAside = false
  try {
    await call(startJoining, { body: way })
  } catch (thrown) {
    last.trouble = troubleIn(thrown)
  }
  await found.load()
}

/** Gives up, or puts a failure aside: the first question is asked again. */
export async function stop(): Promise<void> {
  last.putAside = true
  last.trouble = undefined
  try {
    await call(stopJoining)
  } catch (thrown) {
    if (!(thrown instanceof CallFailed)) throw thrown
    last.trouble = joining() ? thrown.trouble : undefined
  }
  await found.load()
}
