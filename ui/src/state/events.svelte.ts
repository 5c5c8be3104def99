import { type EventData, type EventType, followEvents } from '../../../server/admin/contract/events.ts'
import { addressOf } from '../api.ts'

type Listener = (data: never) => void
const listeners = new Map<EventType, Set<Listener>>()
/** After a break these are told once more: what they list may have changed meanwhile. */
const lists = ['state', 'database', 'people', 'connections', 'nodes'] as const
const line = $state({ cut: false })
let source: EventSource | undefined
let cutTimer: ReturnType<typeof setTimeout> | undefined

/** True when the server has not been heard of for three seconds; reactive. */
export function isCut(): boolean {
  return line.cut
}

/** Calls `act` for each event of a type. @returns a function that stops it (fits `$effect`). */
export function on<T extends EventType>(type: T, act: (data: EventData<T>) => void): () => void {
  const set = listeners.get(type) ?? new Set<Listener>()
  if (!listeners.has(type)) {
    listeners.set(type, set)
    if (source) attach(source, type)
  }
  set.add(act)
  return () => set.delete(act)
}

function attach(to: EventSource, type: EventType): void {
  to.addEventListener(type, event => {
    const data = JSON.parse((event as MessageEvent<string>).data) as never
    for (const act of listeners.get(type) ?? []) act(data)
  })
}

/** Opens the stream of events; the browser connects again by itself when it breaks. @returns a function that closes it. */
export function openEvents(whenBack: () => void): () => void {
  const opened = new EventSource(addressOf(followEvents))
  source = opened
  for (const type of listeners.keys()) attach(opened, type)
  opened.onopen = () => {
    clearTimeout(cutTimer)
    cutTimer = undefined
    if (line.cut) {
      whenBack()
      for (const type of lists) for (const act of listeners.get(type) ?? []) act({} as never)
    }
    line.cut = false
  }
  opened.onerror = () => {
    cutTimer ??= setTimeout(() => {
      line.cut = true
    }, 3000)
    // A stream refused with an HTTP error is closed for good: ask again ourselves.
    if (opened.readyState === EventSource.CLOSED && source === opened)
      setTimeout(() => source === opened && reopen(whenBack), 3000)
  }
  return closeEvents
}

function reopen(whenBack: () => void): void {
  source?.close()
  openEvents(whenBack)
}

function closeEvents(): void {
  clearTimeout(cutTimer)
  cutTimer = undefined
  line.cut = false
  source?.close()
  source = undefined
}
