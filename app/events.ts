/** Follows the events of the own server (server-sent events), by their names alone: what they are about is asked for again. */
import http from 'node:http'
import { lines, requestOptions } from './api.ts'
import type { RunFile } from './run-file.ts'

/** The server sends at least a comment every 15 s. */
const SILENCE_MS = 40_000
/** A name is short: of a longer line the rest is not kept. */
const LINE_CHARS_MAX = 200

/** An open stream. */
export interface EventStream {
  close(): void
}

/**
 * Opens the stream.
 * @param on.event each event's name, as it comes
 * @param on.end once: refused, ended, or silent for too long; not after `close`
 */
export function followEvents(run: RunFile, on: { open(): void; event(name: string): void; end(): void }): EventStream {
  let isOver = false
  const over = (): void => {
    if (isOver) return
    isOver = true
    clearTimeout(silence)
    request.destroy()
    on.end()
  }
  const { method, path } = lines.followEvents
  const [url, options] = requestOptions(run, { method, path, headers: { accept: 'text/event-stream' } })
  const request = http.request(url, options, response => {
    if (response.statusCode !== 200) return over()
    on.open()
    const names = new EventNames(on.event)
    response.setEncoding('utf8')
    response.on('data', (text: string) => {
      silence.refresh()
      if (!isOver) names.read(text)
    })
    response.on('close', over)
  })
  const silence = setTimeout(over, SILENCE_MS)
  request.on('error', over)
  request.end()
  return {
    close: () => {
      isOver = true
      clearTimeout(silence)
      request.destroy()
    },
  }
}

/** Finds the names in the text of a stream (WHATWG HTML §9.2.6), however it is cut into pieces. */
export class EventNames {
  readonly #tell: (name: string) => void
  #line = ''

  constructor(tell: (name: string) => void) {
    this.#tell = tell
  }

  read(text: string): void {
    const parts = text.split('\n')
    parts.forEach((part, index) => {
      this.#line = (this.#line + part).slice(0, LINE_CHARS_MAX)
      if (index === parts.length - 1) return
      const name = /^event: ?([\w-]+)\r?$/.exec(this.#line)?.[1]
      this.#line = ''
      if (name) this.#tell(name)
    })
  }
}
