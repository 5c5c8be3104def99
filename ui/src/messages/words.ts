/** Passwords and addresses as forms need them: pure functions, tested beside. */

/** How hard a password is to guess: 0 too short, 1 weak, 2 fair, 3 good, 4 strong. */
export type Strength = 0 | 1 | 2 | 3 | 4

const common = ['password', 'passwort', 'qwerty', 'qwertz', 'letmein', 'welcome', 'admin', 'lanthorn', 'abc123', '1234']

/**
 * A rough measure of a password, for the meter beside it: length counts most, repeats and well-known parts nothing.
 * @param known words that anyone could guess here: user name, office.
 */
export function strengthOf(password: string, min: number, known: readonly string[] = []): Strength {
  if ([...password].length < min) return 0
  let rest = password.toLowerCase()
  for (const word of [...common, ...known.map(word => word.toLowerCase())]) {
    if (word.length >= 3) rest = rest.replaceAll(word, '#')
  }
  // Runs (aaaa, 1234, dcba) are worth one character.
  const fresh = [...rest].filter((letter, at, all) => {
    const step = (letter.codePointAt(0) ?? 0) - (all[at - 1]?.codePointAt(0) ?? -9)
    return at === 0 || Math.abs(step) > 1
  })
  const kinds = [/\p{L}/u, /\p{Lu}/u, /\p{N}/u, /[^\p{L}\p{N}]/u].filter(kind => kind.test(password)).length
  const bits = new Set(fresh).size * 1.2 + fresh.length * 1.6 + kinds * 2
  return bits < 22 ? 1 : bits < 31 ? 2 : bits < 42 ? 3 : 4
}

const letters: Record<string, string> = { ß: 'ss', æ: 'ae', ø: 'o', œ: 'oe', ł: 'l', đ: 'd', þ: 'th' }
const plain = (text: string) =>
  text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[ßæøœłđþ]/g, letter => letters[letter] ?? letter)

/** A domain made from the name of an office: `ACME & Sons` → `acme-sons.lan`; empty for names without Latin letters. */
export function domainFor(office: string): string {
  const label = plain(office)
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replace(/^-+|-+$/g, '')
  return label ? `${label}.lan` : ''
}

/** A user name made from a person's name: the first word in plain letters (`Anna Berg` → `anna`). */
export function usernameFor(name: string): string {
  return (plain(name).trim().split(/\s+/)[0] ?? '').replace(/[^a-z0-9.-]/g, '').slice(0, 40)
}

/** One or two letters that stand for a person: `Anna Berg` → `AB`. */
export function initialsOf(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean)
  const first = [...(words[0] ?? '?')][0] ?? '?'
  const last = words.length > 1 ? ([...(words.at(-1) ?? '')][0] ?? '') : ''
  return (first + last).toUpperCase()
}
