/** Where the window may go. Pure: the same rules hold for links, redirects, new windows and everything a page loads. */

/** What becomes of an address that a page asks for: shown here, handed to the system's browser or chat app, or refused. */
export type Verdict = 'here' | 'outside' | 'refused'

const outside = new Set(['http:', 'https:', 'xmpp:'])
const OUTSIDE_CHARS_MAX = 2_000

/**
 * Judges a navigation or a new window.
 * @param home the origin of the own server; undefined while none answers
 */
export function judge(url: string, home: string | undefined): Verdict {
  const parsed = parse(url)
  if (!parsed) return 'refused'
  if (home !== undefined && parsed.origin === home) return 'here'
  if (!outside.has(parsed.protocol) || url.length > OUTSIDE_CHARS_MAX) return 'refused'
  // A name and a password in an address only serve to look like another one.
  return parsed.username || parsed.password ? 'refused' : 'outside'
}

/** Whether a page in the window may load this: only what is of its own server, or made by itself. */
export function mayLoad(url: string, home: string | undefined): boolean {
  const parsed = parse(url)
  if (!parsed) return false
  if (parsed.protocol === 'data:') return true
  // A blob's origin is that of the page that made it.
  return home !== undefined && parsed.origin === home
}

/** What a page may do: nothing but put a text into the clipboard, and that only as a page of the own server. */
export function mayHave(permission: string, origin: string, home: string | undefined): boolean {
  return permission === 'clipboard-sanitized-write' && home !== undefined && parse(origin)?.origin === home
}

function parse(url: string): URL | undefined {
  try {
    return new URL(url)
  } catch {
    return undefined // not an address
  }
}
