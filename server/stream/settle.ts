/** XEP-0198 §5: before a session goes on over another stream, here or on another node, the former one ends and what it had received is made safe. */
import type { Inbox } from '../core/inbox.ts'
import type { Session } from '../core/session.ts'
import { StreamError } from '../xmpp/errors.ts'
import type { Streams } from './streams.ts'

/**
 * Ends the former stream of a session and waits until all it had received is handled, and safe or the time is over.
 * @param limits.handledMs how long for the former; undefined = as long as it takes
 * @param limits.safeMs how long for the latter
 * @returns `busy` when somebody else is about to take the session, `late` when a stanza is still being handled
 */
export async function settle(
  streams: Streams,
  session: Session,
  limits: { readonly handledMs?: number; readonly safeMs: number },
): Promise<'settled' | 'busy' | 'late' | 'gone'> {
  const { inbox, outlet } = session
  if (!inbox || session.departedAt !== undefined) return 'gone'
  if (streams.resuming.has(session) || session.isLeaving) return 'busy'
  streams.resuming.add(session)
  try {
    session.rest(streams.parts.now())
    // §5: the former stream, if it is still there, ends with conflict.
    outlet?.end(new StreamError('conflict', 'This session goes on over another connection.'))
    const work = streams.workOf(session)
    if (work && !(await inTime(streams, work, limits.handledMs))) return 'late'
    if (inbox.safe !== inbox.handled) await untilSafe(streams, inbox, limits.safeMs)
    return session.isClosed ? 'gone' : 'settled'
  } finally {
    streams.resuming.delete(session)
  }
}

async function inTime(streams: Streams, work: Promise<void>, limitMs: number | undefined): Promise<boolean> {
  const done = work.then(() => true)
  if (limitMs === undefined) return await done
  const { alarms } = streams
  let ring = (): void => undefined
  const late = new Promise<false>(resolve => {
    ring = () => resolve(false)
    alarms.set(ring, limitMs)
  })
  try {
    return await Promise.race([done, late])
  } finally {
    alarms.clear(ring)
  }
}

function untilSafe({ alarms }: Streams, inbox: Inbox, limitMs: number): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      alarms.clear(done)
      inbox.onSettled = undefined
      resolve()
    }
    alarms.set(done, limitMs)
    inbox.onSettled = () => {
      if (inbox.safe === inbox.handled) done()
    }
  })
}
