/** Draining: this node is about to go. Its clients are sent to other nodes, and what rests here is fetched from there (RFC 6120 §4.9.3.19). */
import type { Outlet, Session } from '../core/session.ts'
import { StreamError } from '../xmpp/errors.ts'
import type { ClientStream } from './c2s.ts'
import type { Streams } from './streams.ts'

/**
 * Where the clients of one kind of connection find another node: 'host:port' for tcp and tls, a URI (wss:, https:) for the others; undefined when
 * there is nothing to tell: then the stream ends with system-shutdown.
 */
export type SeeOther = (kind: Outlet['transport']) => string | undefined

export interface DrainProgress {
  /** Sessions that another node has fetched. */
  readonly moved: number
  /** Sessions that are still here; when there is no other node, those that ended. */
  readonly left: number
}

export interface DrainOptions {
  /** The latest end, in milliseconds. */
  readonly limitMs?: number
  readonly onProgress?: (progress: DrainProgress) => void
  /** There is no other node: nothing is waited for, sessions end. */
  readonly isAlone?: boolean
}

const LIMIT_MS = 10_000
/** So many streams are sent away at once, with a pause behind them: the other nodes must take them all. */
const BATCH_STREAMS = 100
const BATCH_PAUSE_MS = 25
const LOOK_MS = 50

/** What a client on this kind of connection is told while its node is drained. */
export function seeOther(to: SeeOther, kind: Outlet['transport']): StreamError {
  const place = to(kind)
  return place === undefined
    ? new StreamError('system-shutdown', 'Nobody can connect to this server at the moment. Try again later.')
    : new StreamError('see-other-host', 'This server is about to stop, another one goes on.', place)
}

/**
 * Sends all streams away and waits until their sessions were fetched, there is nothing left, the time is over, or `isOver` says so.
 * @param moved how many sessions another node has fetched so far
 */
export async function sendAway(
  streams: Streams,
  to: SeeOther,
  options: DrainOptions & { moved(): number; isOver(): boolean },
): Promise<DrainProgress> {
  const { limitMs = LIMIT_MS, onProgress, moved, isOver } = options
  const endsAt = performance.now() + limitMs
  const isDone = (): boolean => isOver() || performance.now() >= endsAt
  const progress = (): DrainProgress => ({ moved: moved(), left: leftOf(streams.parts.sessions.all()) })
  let told = ''
  const tell = (): DrainProgress => {
    const now = progress()
    if (told !== `${now.moved} ${now.left}`) onProgress?.(now)
    told = `${now.moved} ${now.left}`
    return now
  }
  const alone = options.isAlone ? [...streams.parts.sessions.all()] : []
  let sent = 0
  for (const stream of [...streams]) {
    if (isDone()) break
    send(stream, to)
    if (++sent % BATCH_STREAMS !== 0) continue
    tell()
    await pause(BATCH_PAUSE_MS)
  }
  await Promise.all(alone.map(session => streams.parts.sessions.end(session, 'shutdown')))
  if (options.isAlone) return { moved: 0, left: alone.length }
  while (tell().left > 0 && !isDone()) await pause(LOOK_MS)
  return progress()
}

function send(stream: ClientStream, to: SeeOther): void {
  if (!stream.isOver) stream.abandon(seeOther(to, stream.transport))
}

function leftOf(sessions: Iterable<Session>): number {
  let left = 0
  for (const session of sessions) if (session.departedAt === undefined) left++
  return left
}

const pause = (milliseconds: number): Promise<void> => new Promise(resolve => setTimeout(resolve, milliseconds))
