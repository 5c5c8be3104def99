/** A last word on a connection that is not wanted. */
import type { Duplex } from 'node:stream'

const farewellMs = 1_000

/** Writes the word, reads nothing more, and resolves when the connection is over: after a second at the latest, whatever the other side does. */
export function farewell(socket: Duplex, word: Buffer): Promise<void> {
  if (socket.destroyed) return Promise.resolve()
  return new Promise(resolve => {
    const limit = setTimeout(() => socket.destroy(), farewellMs)
    socket.once('close', () => {
      clearTimeout(limit)
      resolve()
    })
    socket.removeAllListeners('data')
    socket.resume()
    socket.end(word)
  })
}
