/**
 * RFC 8264 (PRECIS framework), RFC 8265 (user names and opaque strings), RFC 8266 (nicknames): which characters a name may have,
 * and its one comparable form. Contextual rules are those of RFC 5892 Appendix A, the rule for right-to-left text is RFC 5893 section 2.
 */

/** A string that a PRECIS profile refuses; the message says which character or rule, fit to end a sentence about the name. */
export class PrecisError extends Error {
  override readonly name = 'PrecisError'
}

type StringClass = 'identifier' | 'freeform'
type Standing = 'valid' | 'freeform only' | 'contextual' | 'disallowed'

// RFC 5892 section 2.6 (Exceptions), 2.8 (JoinControl), 2.9 (OldHangulJamo); RFC 8264 sections 9.12, 9.13 and 9.18.
const EXCEPTIONALLY_VALID = /^[\u00DF\u03C2\u06FD\u06FE\u0F0B\u3007]$/u
const CONTEXTUAL = /^[\u00B7\u0375\u05F3\u05F4\u30FB\u0660-\u0669\u06F0-\u06F9\u200C\u200D]$/u
const EXCEPTIONALLY_DISALLOWED = /^[\u0640\u07FA\u302E\u302F\u3031-\u3035\u303B]$/u
const NEVER = /^[\p{Cn}\p{Cc}\p{Cs}\p{DI}\p{NChar}\u1100-\u11FF\uA960-\uA97C\uD7B0-\uD7C6\uD7CB-\uD7FB]$/u
const LETTER_OR_DIGIT = /^[\p{Ll}\p{Lu}\p{Lo}\p{Nd}\p{Lm}\p{Mn}\p{Mc}]$/u
const FREEFORM_ONLY = /^[\p{Lt}\p{Nl}\p{No}\p{Me}\p{Zs}\p{S}\p{P}]$/u

/** The derived property of one character (RFC 8264 section 8; the order of the tests is fixed there). */
function standingOf(character: string): Standing {
  if (EXCEPTIONALLY_VALID.test(character)) return 'valid'
  if (CONTEXTUAL.test(character)) return 'contextual'
  if (EXCEPTIONALLY_DISALLOWED.test(character)) return 'disallowed'
  if (character >= '!' && character <= '~') return 'valid'
  if (NEVER.test(character)) return 'disallowed'
  if (character.normalize('NFKC') !== character) return 'freeform only'
  if (LETTER_OR_DIGIT.test(character)) return 'valid'
  return FREEFORM_ONLY.test(character) ? 'freeform only' : 'disallowed'
}

// Canonical_Combining_Class = Virama (9).
const VIRAMA =
  /^[\u094D\u09CD\u0A4D\u0ACD\u0B4D\u0BCD\u0C4D\u0CCD\u0D3B\u0D3C\u0D4D\u0DCA\u0E3A\u0EBA\u0F84\u1039\u103A\u1714\u1715\u1734\u17D2\u1A60\u1B44\u1BAA\u1BAB\u1BF2\u1BF3\u2D7F\uA806\uA82C\uA8C4\uA953\uA9C0\uAAF6\uABED\u{10A3F}\u{11046}\u{11070}\u{1107F}\u{110B9}\u{11133}\u{11134}\u{111C0}\u{11235}\u{112EA}\u{1134D}\u{113CE}-\u{113D0}\u{11442}\u{114C2}\u{115BF}\u{1163F}\u{116B6}\u{1172B}\u{11839}\u{1193D}\u{1193E}\u{119E0}\u{11A34}\u{11A47}\u{11A99}\u{11C3F}\u{11D44}\u{11D45}\u{11D97}\u{11F41}\u{11F42}\u{1612F}]$/u
// Joining_Type = Dual or Left, then Transparent ones; Transparent ones, then Joining_Type = Right or Dual.
const DUAL =
  '\\u0620\\u0626\\u0628\\u062A-\\u062E\\u0633-\\u063F\\u0641-\\u0647\\u0649\\u064A\\u066E\\u066F\\u0678-\\u0687\\u069A-\\u06BF\\u06C1\\u06C2\\u06CC\\u06CE\\u06D0\\u06D1\\u06FA-\\u06FC\\u06FF\\u0712-\\u0714\\u071A-\\u071D\\u071F-\\u0727\\u0729\\u072B\\u072D\\u072E\\u074E-\\u0758\\u075C-\\u076A\\u076D-\\u0770\\u0772\\u0775-\\u0777\\u077A-\\u077F\\u07CA-\\u07EA\\u0841-\\u0845\\u0848\\u084A-\\u0853\\u0855\\u0860\\u0862-\\u0865\\u0868\\u0886\\u0889-\\u088D\\u08A0-\\u08A9\\u08AF\\u08B0\\u08B3-\\u08B8\\u08BA-\\u08C8\\u1807\\u1820-\\u1878\\u1887-\\u18A8\\u18AA\\uA840-\\uA871'
const RIGHT =
  '\\u0622-\\u0625\\u0627\\u0629\\u062F-\\u0632\\u0648\\u0671-\\u0673\\u0675-\\u0677\\u0688-\\u0699\\u06C0\\u06C3-\\u06CB\\u06CD\\u06CF\\u06D2\\u06D3\\u06D5\\u06EE\\u06EF\\u0710\\u0715-\\u0719\\u071E\\u0728\\u072A\\u072C\\u072F\\u074D\\u0759-\\u075B\\u076B\\u076C\\u0771\\u0773\\u0774\\u0778\\u0779\\u0840\\u0846\\u0847\\u0849\\u0854\\u0856-\\u0858\\u0867\\u0869\\u086A\\u0870-\\u0882\\u088E\\u08AA-\\u08AC\\u08AE\\u08B1\\u08B2\\u08B9'
const TRANSPARENT = '[\\p{Mn}\\p{Me}]*'
const JOINS_AFTER = new RegExp(`[${DUAL}\\uA872]${TRANSPARENT}$`, 'u')
const JOINS_BEFORE = new RegExp(`^${TRANSPARENT}[${DUAL}${RIGHT}]`, 'u')

/** Whether the contextual character at `index` stands where it may (RFC 5892 Appendix A.1 to A.9). */
function isInContext(characters: readonly string[], index: number): boolean {
  const character = characters[index] ?? ''
  const before = characters[index - 1] ?? ''
  const after = characters[index + 1] ?? ''
  switch (character) {
    case '\u200C':
      if (VIRAMA.test(before)) return true
      return (
        JOINS_AFTER.test(characters.slice(0, index).join('')) && JOINS_BEFORE.test(characters.slice(index + 1).join(''))
      )
    case '\u200D':
      return VIRAMA.test(before)
    case '\u00B7':
      return before === 'l' && after === 'l'
    case '\u0375':
      return /^\p{Script=Greek}$/u.test(after)
    case '\u05F3':
    case '\u05F4':
      return /^\p{Script=Hebrew}$/u.test(before)
    case '\u30FB':
      return characters.some(other => /^[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]$/u.test(other))
    default: {
      const isArabicIndic = character <= '\u0669'
      return !characters.some(other =>
        isArabicIndic ? other >= '\u06F0' && other <= '\u06F9' : other >= '\u0660' && other <= '\u0669',
      )
    }
  }
}

/** Throws PrecisError unless every character of `text` belongs to the string class (RFC 8264 sections 4.2 and 4.3). */
function assertClass(text: string, stringClass: StringClass): void {
  const characters = Array.from(text)
  for (const [index, character] of characters.entries()) {
    const standing = standingOf(character)
    if (standing === 'valid' || (standing === 'freeform only' && stringClass === 'freeform')) continue
    if (standing === 'contextual' && isInContext(characters, index)) continue
    throw new PrecisError(`${describe(character)} is not allowed${standing === 'contextual' ? ' at this place' : ''}`)
  }
}

function describe(character: string): string {
  const number = `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
  return /^[\p{L}\p{N}\p{P}\p{S}]$/u.test(character)
    ? `the character “${character}” (${number})`
    : `the character ${number}`
}

// Bidi classes as far as the identifier class needs them: RTL is R or AL. RFC 5893 section 2.
const AN = '\\u0660-\\u0669\\u{10D30}-\\u{10D39}'
const EN = '0-9\\u06F0-\\u06F9'
const NSM = '[\\p{Mn}--[\\u0CBF\\u0CC6\\u{11A07}\\u{11A08}\\u{11C3F}]]'
const RTL_BLOCKS = '\\u0590-\\u08FF\\uFB1D-\\uFDFF\\uFE70-\\uFEFF\\u{10800}-\\u{10FFF}\\u{1E800}-\\u{1EFFF}'
const RTL = `[[${RTL_BLOCKS}]--[\\p{Mn}${AN}${EN}]]`
const NEUTRAL_LETTERS = '\\u02B9\\u02BA\\u02C6-\\u02CF\\u02EC\\u2E2F\\uA67F\\uA717-\\uA71F\\uA788'
const LTR = `[[\\p{L}\\p{Nd}\\p{Mc}]--[${RTL_BLOCKS}0-9${NEUTRAL_LETTERS}]]`
const HAS_RTL = new RegExp(`[${RTL}${AN}]`, 'v')
const STARTS_AND_ENDS_RTL = new RegExp(`^(?=${RTL}).*[${RTL}${EN}${AN}]${NSM}*$`, 'v')
const HAS_LTR = new RegExp(LTR, 'v')

/** Whether a text obeys the Bidi rule; one without right-to-left characters does (RFC 5893 section 2, conditions 1 to 6). */
function isBidiSafe(text: string): boolean {
  if (!HAS_RTL.test(text)) return true
  // Conditions 1 and 5: with a right-to-left character inside, the text itself must run from right to left.
  if (!STARTS_AND_ENDS_RTL.test(text) || HAS_LTR.test(text)) return false
  return !(/[0-9\u06F0-\u06F9]/.test(text) && /[\u0660-\u0669\u{10D30}-\u{10D39}]/u.test(text))
}

/** Applies a profile's mappings until they change nothing more (RFC 8264 section 7; RFC 8266 section 2.1 sets the limit of three more). */
function stable(text: string, apply: (text: string) => string): string {
  let result = apply(text)
  for (let round = 0; round < 3; round++) {
    const next = apply(result)
    if (next === result) return result
    result = next
  }
  throw new PrecisError('it has no stable written form')
}

/** The last check of every profile: mapping and normalization may have emptied the text or moved a character out of its context. */
function finished(text: string, stringClass: StringClass): string {
  if (text === '') throw new PrecisError('it is empty')
  assertClass(text, stringClass)
  return text
}

// Full- and halfwidth forms and the ideographic space; for these NFKC is their decomposition mapping (UAX 11).
const WIDE_OR_NARROW = /[\u3000\uFF01-\uFFEE]/g
const mapWidth = (text: string) => text.replace(WIDE_OR_NARROW, character => character.normalize('NFKC'))
// Character by character, because a capital sigma maps to σ wherever it stands (RFC 8265 section 3.6).
const mapCase = (text: string) => Array.from(text, character => character.toLowerCase()).join('')
const mapSpaces = (text: string) => text.replace(/\p{Zs}/gu, ' ')

/**
 * The UsernameCaseMapped form of a user name (RFC 8265 section 3.3): widths and case mapped, NFC, identifier characters only.
 * @throws PrecisError when it is empty or has a character or an order of characters that user names may not have
 */
export function enforceUsername(text: string): string {
  if (/^[!-~]+$/.test(text)) return text.toLowerCase()
  const prepared = mapWidth(text)
  assertClass(prepared, 'identifier')
  const result = finished(
    stable(prepared, part => mapCase(part).normalize('NFC')),
    'identifier',
  )
  if (!isBidiSafe(result)) throw new PrecisError('it mixes writing directions')
  return result
}

/**
 * The OpaqueString form of a password or resource (RFC 8265 section 4.2): every space becomes U+0020, NFC, case kept.
 * @throws PrecisError when it is empty or has a character outside the freeform class
 */
export function enforceOpaque(text: string): string {
  if (/^[ -~]+$/.test(text)) return text
  assertClass(text, 'freeform')
  return finished(
    stable(text, part => mapSpaces(part).normalize('NFC')),
    'freeform',
  )
}

const trimSpaces = (text: string) =>
  mapSpaces(text)
    .replace(/^ +| +$/g, '')
    .replace(/ {2,}/g, ' ')

/**
 * A nickname as it is shown (RFC 8266 section 2.3): spaces trimmed and joined, NFKC, case kept.
 * @throws PrecisError when nothing is left, or it has a character outside the freeform class
 */
export function enforceNickname(text: string): string {
  assertClass(text, 'freeform')
  return finished(
    stable(text, part => trimSpaces(part).normalize('NFKC')),
    'freeform',
  )
}

/**
 * A nickname as it is compared (RFC 8266 section 2.4): two nicknames are the same exactly if their keys are.
 * @throws PrecisError as enforceNickname does
 */
export function nicknameKey(text: string): string {
  assertClass(text, 'freeform')
  return finished(
    stable(text, part => mapCase(trimSpaces(part)).normalize('NFKC')),
    'freeform',
  )
}

/**
 * Whether a U-label is one that IDNA2008 permits, as far as characters go: identifier characters that lower case and NFKC leave alone,
 * contextual rules and the Bidi rule kept (RFC 5892 section 3, RFC 5893).
 */
export function isUnicodeLabel(label: string): boolean {
  try {
    return enforceUsername(label) === label
  } catch (error) {
    if (error instanceof PrecisError) return false
    throw error
  }
}
