import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { SaxesParser } from 'saxes'
import { describe, expect, test } from 'vitest'
import { Element } from './element.ts'
import { Framer, FramerError, type FramerEvent } from './framer.ts'
import { isContentNamespace, Stanza } from './stanza.ts'

// FUZZ_SEED repeats a run, FUZZ_RUNS makes it longer (a factor, 0.2 if not given). The seed is printed when something is found.
const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2_147_483_647)
const factor = Number(process.env.FUZZ_RUNS ?? 0.2)
const runs = (count: number): fc.Parameters<unknown> => ({ numRuns: Math.ceil(count * factor), seed })
console.log(`framer fuzz: FUZZ_SEED=${seed}`)

const OPEN = `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:outer='urn:outer'>`
const TIMEOUT_MS = 600_000

type Result = { events: FramerEvent[]; fault: string | undefined; buffered: number }

function frame(bytes: Buffer, cuts: readonly number[] = []): Result {
  const framer = new Framer({ mode: 'stream' })
  const events: FramerEvent[] = []
  const emit = (event: FramerEvent) => void events.push(event)
  framer.push(Buffer.from(OPEN), event => expect(event.type).toBe('open'))
  let fault: string | undefined
  let start = 0
  try {
    for (const cut of [...cuts.map(cut => cut % (bytes.length + 1)).sort((one, other) => one - other), bytes.length]) {
      framer.push(Buffer.from(bytes.subarray(start, cut)), emit)
      start = cut
    }
  } catch (error) {
    if (!(error instanceof FramerError)) throw error
    fault = error.condition
  }
  return { events, fault, buffered: framer.buffered }
}

function describeEvent(event: FramerEvent): unknown {
  if (event.type !== 'stanza') return event
  const { kind, name, ns, to, from, id, type, lang, children } = event.stanza
  return { kind, name, ns, to, from, id, type, lang, children, text: event.stanza.toString() }
}

interface Reference {
  name: string
  ns: string
  header: Record<string, string>
  children: { name: string; ns: string }[]
  text: string
}

/** What `saxes`, a strict parser, says of a stanza inside a stream; undefined when it refuses. */
function refer(text: string, open = OPEN): Reference[] | undefined {
  const parser = new SaxesParser({ xmlns: true })
  const found: Reference[] = []
  let depth = 0
  let fault: Error | undefined
  parser.on('error', error => {
    fault ??= error
  })
  parser.on('opentag', tag => {
    depth++
    if (depth === 2) {
      const header: Record<string, string> = {}
      for (const attribute of Object.values(tag.attributes)) header[attribute.name] = attribute.value
      // saxes trims namespaces, which XML-NAMES does not.
      found.push({ name: tag.local, ns: tag.uri, header, children: [], text: '' })
    }
    if (depth === 3) found.at(-1)?.children.push({ name: tag.local, ns: tag.uri })
  })
  const addText = (text: string) => {
    const last = found.at(-1)
    if (depth >= 2 && last !== undefined) last.text += text
  }
  parser.on('text', addText)
  parser.on('cdata', addText)
  parser.on('closetag', () => {
    depth--
  })
  try {
    parser.write(`${open}${text}</stream:stream>`).close()
  } catch (error) {
    fault ??= error as Error
  }
  return fault === undefined ? found : undefined
}

const clientNs = (ns: string): string => (isContentNamespace(ns) ? 'jabber:client' : ns)

// A local part that is no NCName ("p:.b"): XML-NAMES §4 forbids it, saxes lets it pass.
const LOOSE_NAME = /:(?:[-.0-9\u{b7}\u{203f}\u{2040}]|[\u{300}-\u{36f}])/u

// Behind what is tried: only when it comes out as a stanza was everything before it complete.
const LAST = Buffer.from("<iq id='last'/>")

/** The stanzas before LAST, undefined when the framer refuses, waits or sees the end of the stream. */
function accept(bytes: Buffer): Stanza[] | undefined {
  const { events, fault } = frame(Buffer.concat([bytes, LAST]))
  const stanzas = events.flatMap(event => (event.type === 'stanza' ? [event.stanza] : []))
  const isWhole = fault === undefined && stanzas.length === events.length && stanzas.at(-1)?.id === 'last'
  return isWhole ? stanzas.slice(0, -1) : undefined
}

function expectSame(stanza: Stanza, reference: Reference): void {
  const { to, from, id, type, 'xml:lang': lang } = reference.header
  expect({
    name: stanza.name,
    ns: stanza.ns.trim(),
    to: stanza.to,
    from: stanza.from,
    id: stanza.id,
    type: stanza.type,
    lang: stanza.lang,
  }).toEqual({ name: reference.name, ns: clientNs(reference.ns), to, from, id, type, lang })
  expect(stanza.children.map(({ name, ns }) => ({ name, ns: ns.trim() }))).toEqual(reference.children)
}

/** The trees that ltx makes of proved bytes say the same as the index and the strict parser. */
function expectSameTrees(stanza: Stanza, reference: Reference): void {
  const allText = (element: Element): string =>
    element.children.map(child => (child instanceof Element ? allText(child) : String(child))).join('')
  expect(allText(stanza.element)).toBe(reference.text)
  for (const child of stanza.children) {
    const tree = stanza.tree(child)
    expect(tree.getName()).toBe(child.name)
    // ltx takes xmlns='' for no declaration at all.
    if (child.ns !== '') expect(tree.getNS()).toBe(child.ns)
  }
}

// --- generators

const blank = fc.constantFrom('', '', '', ' ', '\n', '\t ', '\r\n')
const gap = fc.constantFrom(' ', ' ', ' ', '\n', ' \t')
const character = fc.constantFrom(
  ...'abcdefghijXYZ 0129.-_:/@#;,()[]{}!?',
  ']]',
  'é',
  'ß',
  'ж',
  '中',
  '😀',
  '\u{10fffd}',
  '\ufffd',
  '\ue000',
  '\u0085',
  '\u2028',
  '\t',
  '\n',
  '\r',
  '\r\n',
  '\x7f',
  '&amp;',
  '&lt;',
  '&gt;',
  '&quot;',
  '&apos;',
  '&#65;',
  '&#x10FFFF;',
  '&#9;',
  '&#xa;',
  '&#0065;',
)
const text = fc
  .array(
    fc.oneof(
      { arbitrary: character, weight: 9 },
      { arbitrary: fc.constantFrom('"', "'", 'longer plain text without anything'), weight: 1 },
    ),
    { maxLength: 12 },
  )
  .map(parts => parts.join(''))
const content = text.map(value => value.replaceAll(']]', ']'))
const cdata = fc
  .array(fc.constantFrom('a', '<', '&', ']', ']]', '>', 'é', ' ', '<b>'), { maxLength: 6 })
  .map(parts => `<![CDATA[${parts.join('').replaceAll(']]>', '] ]>')}]]>`)
const localName = fc.constantFrom(
  'a',
  'b',
  'body',
  'x',
  'item',
  'active',
  'é',
  'a-b',
  'a.b',
  '_',
  'to',
  '名',
  'x1',
  'message',
  'constructor',
  '__proto__',
)
const prefix = fc.constantFrom('p', 'q', 'r')
const uri = fc.constantFrom('urn:a', 'urn:b', 'jabber:x:data', 'http://example.org/é', 'urn:a&amp;b', 'jabber:client')
const quoted = (value: fc.Arbitrary<string>) =>
  fc
    .tuple(value, fc.boolean())
    .map(([inner, isDouble]) => (isDouble ? `"${inner.replaceAll('"', '')}"` : `'${inner.replaceAll("'", '')}'`))

// Attributes with names that are unique, whatever the prefixes mean.
const attributes = fc
  .uniqueArray(
    fc
      .tuple(
        fc.oneof(localName, fc.constantFrom('id', 'type', 'from', 'xml:lang', 'xml:space', 'outer:o')),
        gap,
        blank,
        blank,
        quoted(text),
      )
      .map(([name, before, one, two, value]) => ({ name, text: `${before}${name}${one}=${two}${value}` })),
    { selector: attribute => attribute.name, maxLength: 5 },
  )
  .map(list => list.map(attribute => attribute.text).join(''))

const declared = fc.option(fc.tuple(fc.option(prefix, { nil: undefined }), uri, fc.boolean()), { nil: undefined })

const { element } = fc.letrec<{ element: string; inner: string }>(tie => ({
  element: fc
    .tuple(localName, declared, attributes, fc.oneof({ maxDepth: 4 }, fc.constant(''), tie('inner')), blank)
    .map(([name, scope, attrs, inner, end]) => {
      const [with_, ns, isDefault] = scope ?? [undefined, undefined, false]
      const qualified = with_ === undefined ? name : `${with_}:${name}`
      const declaration =
        ns === undefined
          ? ''
          : with_ !== undefined
            ? ` xmlns:${with_}='${ns}' ${with_}:attribute='1'`
            : isDefault
              ? ` xmlns="${ns}"`
              : ''
      return inner === ''
        ? `<${qualified}${attrs}${declaration}${end}/>`
        : `<${qualified}${declaration}${attrs}${end}>${inner}</${qualified}${end}>`
    }),
  inner: fc
    .array(
      fc.oneof(
        { arbitrary: tie('element'), weight: 3 },
        { arbitrary: content, weight: 3 },
        { arbitrary: cdata, weight: 1 },
      ),
      { maxLength: 4 },
    )
    .map(parts => parts.join('')),
}))

const stanzaText = fc
  .tuple(
    fc.constantFrom('message', 'presence', 'iq', 'a', 'foo', 'é'),
    fc.constantFrom('', '', '', " xmlns='jabber:client'", " xmlns='urn:a'", " xmlns:p='urn:p'"),
    attributes,
    fc.array(fc.oneof(element, content, cdata), { maxLength: 4 }),
    blank,
  )
  .map(([name, xmlns, attrs, inner, end]) => {
    const tag = name + xmlns + attrs + end
    return inner.length === 0 ? `<${tag}/>` : `<${tag}>${inner.join('')}</${name}${end}>`
  })

const SPLINTERS = [
  '<',
  '>',
  '/',
  '&',
  ';',
  "'",
  '"',
  '=',
  ':',
  ' ',
  ']]>',
  '<![CDATA[',
  '<!--',
  '<?x ?>',
  '<!DOCTYPE a>',
  '</',
  '/>',
  '&#0;',
  '&#xD800;',
  '&#xFFFE;',
  '&x;',
  '&#x110000;',
  '&#;',
  " a='1'",
  " a='1' a='2'",
  ' xmlns=""',
  " xmlns:p=''",
  " xmlns:p='urn:p'",
  " xmlns:xml='urn:x'",
  " xmlns:xmlns='urn:x'",
  " xmlns:q='http://www.w3.org/2000/xmlns/'",
  " xmlns='http://www.w3.org/XML/1998/namespace'",
  " xmlns:xml='http://www.w3.org/XML/1998/namespace'",
  '<p:a/>',
  '<outer:a/>',
  '<xml:a/>',
  '<xmlns:a/>',
  '<a:b:c/>',
  '<:a/>',
  '<a:/>',
  '<1/>',
  '<a:1/>',
  '<-/>',
  '<é/>',
  '<·/>',
  '</stream:stream>',
  '<a',
  '</a>',
  '\0',
  '\x0b',
  '\ufffe',
  '\uffff',
].map(splinter => Buffer.from(splinter))
const BAD_BYTES = [
  [0x80],
  [0xc0, 0x80],
  [0xc3],
  [0xe0, 0x80, 0x80],
  [0xed, 0xa0, 0x80],
  [0xf0, 0x80, 0x80, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
  [0xf8],
  [0xff],
  [0xef, 0xbf, 0xbe],
  [0xe2, 0x82],
].map(bytes => Buffer.from(bytes))

interface Mutation {
  at: number
  remove: number
  insert: Buffer
}
const mutation: fc.Arbitrary<Mutation> = fc.record({
  at: fc.nat(100_000),
  remove: fc.constantFrom(0, 0, 0, 1, 1, 2, 5),
  insert: fc.oneof(
    fc.constantFrom(...SPLINTERS),
    fc.constantFrom(...SPLINTERS),
    fc.constantFrom(...BAD_BYTES),
    fc.nat(255).map(byte => Buffer.from([byte])),
    fc.constant(Buffer.alloc(0)),
  ),
})

function mutate(source: string, mutations: readonly Mutation[]): Buffer {
  let bytes = Buffer.from(source)
  for (const { at, remove, insert } of mutations) {
    const position = at % (bytes.length + 1)
    bytes = Buffer.concat([bytes.subarray(0, position), insert, bytes.subarray(position + remove)])
  }
  return bytes
}

const mutated = fc
  .tuple(stanzaText, fc.array(mutation, { minLength: 1, maxLength: 3 }))
  .map(([source, mutations]) => mutate(source, mutations))

describe('Whatever the bytes', () => {
  test(
    'what the framer accepts, a strict parser accepts too, with the same names, attributes and children',
    () => {
      let accepted = 0
      let cases = 0
      fc.assert(
        fc.property(mutated, bytes => {
          cases++
          const stanzas = accept(bytes)
          if (stanzas === undefined) return
          accepted++
          const reference = refer(bytes.toString('utf8'))
          if (reference === undefined) return expect.fail(`saxes refuses ${JSON.stringify(bytes.toString('latin1'))}`)
          expect(stanzas.length).toBe(reference.length)
          for (const [index, stanza] of stanzas.entries()) expectSame(stanza, reference[index] as Reference)
        }),
        runs(60_000),
      )
      // The mutations must not be so rough that nothing is compared.
      expect(accepted / cases).toBeGreaterThan(0.05)
    },
    TIMEOUT_MS,
  )

  test(
    'what a strict parser refuses, the framer does not take; what it accepts is refused only for what XMPP forbids',
    () => {
      fc.assert(
        fc.property(mutated, bytes => {
          const text = JSON.stringify(bytes.toString('latin1'))
          if (refer(bytes.toString('utf8')) === undefined) {
            if (accept(bytes) !== undefined) expect.fail(`the framer takes ${text}`)
          } else if (isUtf8(bytes) && !LOOSE_NAME.test(bytes.toString('utf8'))) {
            const { fault } = frame(bytes)
            if (fault === 'not-well-formed' || fault === 'unsupported-encoding') expect.fail(`${fault}: ${text}`)
          }
        }),
        runs(30_000),
      )
    },
    TIMEOUT_MS,
  )

  test(
    'any cut into chunks gives the same stanzas and the same fault',
    () => {
      fc.assert(
        fc.property(
          fc.oneof(
            stanzaText.map(source => Buffer.from(source)),
            mutated,
          ),
          fc.array(fc.nat(2000), { maxLength: 6 }),
          (bytes, cuts) => {
            const whole = frame(bytes)
            const pieces = frame(bytes, cuts)
            expect(pieces.fault).toBe(whole.fault)
            expect(pieces.events.map(describeEvent)).toEqual(whole.events.map(describeEvent))
          },
        ),
        runs(50_000),
      )
    },
    TIMEOUT_MS,
  )

  test(
    'byte by byte is the same as all at once',
    () => {
      fc.assert(
        fc.property(mutated, bytes => {
          const whole = frame(bytes)
          const pieces = frame(
            bytes,
            Array.from(bytes, (_, index) => index),
          )
          expect(pieces.fault).toBe(whole.fault)
          expect(pieces.events.map(describeEvent)).toEqual(whole.events.map(describeEvent))
        }),
        runs(15_000),
      )
    },
    TIMEOUT_MS,
  )
})

describe('Well-formed stanzas', () => {
  test(
    'are accepted, and stand alone afterwards',
    () => {
      fc.assert(
        fc.property(stanzaText, source => {
          const reference = refer(source)
          if (reference === undefined) expect.fail(`the generator made ${source}`)
          const { events, fault } = frame(Buffer.from(source))
          if (fault !== undefined) expect.fail(`${fault}: ${source}`)
          const [event] = events
          if (event?.type !== 'stanza') return expect.fail(`no stanza: ${source}`)
          expectSame(event.stanza, reference[0] as Reference)
          expectSameTrees(event.stanza, reference[0] as Reference)
          // In the context of another stream, which declares no prefix, and out of any context.
          const bare = `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`
          expectSame(event.stanza, refer(event.stanza.toString(), bare)?.[0] as Reference)
          const document = new Framer({ mode: 'document' })
          document.push(Buffer.from(event.stanza.toDocument()), again => {
            if (again.type !== 'stanza') return expect.fail('not a stanza')
            expect(describeEvent({ type: 'stanza', stanza: again.stanza })).toEqual(describeEvent(event))
          })
          expect(describeEvent({ type: 'stanza', stanza: Stanza.fromBytes(event.stanza.bytes) })).toEqual(
            describeEvent(event),
          )
        }),
        runs(40_000),
      )
    },
    TIMEOUT_MS,
  )

  const value = fc.option(
    fc.oneof(
      fc.constantFrom('romeo@office.test/x', '', 'a<b>&"\'c', 'é\n\t ', 'chat'),
      fc.string({ unit: 'grapheme', maxLength: 8 }),
    ),
    { nil: undefined },
  )
  const header = fc.record({ to: value, from: value, id: value, type: value, lang: value }, { requiredKeys: [] })

  test(
    'say what was meant after with, append and without',
    () => {
      fc.assert(
        fc.property(stanzaText, header, element, fc.nat(5), (source, change, child, removed) => {
          const { events } = frame(Buffer.from(source))
          const [event] = events
          if (event?.type !== 'stanza') return expect.fail(`no stanza: ${source}`)
          const before = event.stanza
          const after = before.with(change)
          const again = refer(after.toString())?.[0]
          if (again === undefined) return expect.fail(`with made ${after}`)
          expectSame(after, again)
          for (const key of ['to', 'from', 'id', 'type', 'lang'] as const) {
            expect(after[key]).toBe(key in change ? cleaned(change[key]) : before[key])
          }
          const more = after.append(child)
          expectSame(more, refer(more.toString())?.[0] as Reference)
          expect(more.children.length).toBe(after.children.length + 1)
          const cut = more.without(found => more.children.indexOf(found) === removed)
          expectSame(cut, refer(cut.toString())?.[0] as Reference)
          expect(describeEvent({ type: 'stanza', stanza: cut })).toEqual(
            describeEvent({ type: 'stanza', stanza: Stanza.fromBytes(cut.bytes) }),
          )
        }),
        runs(25_000),
      )
    },
    TIMEOUT_MS,
  )
})

// What escapeAttribute cannot write becomes U+FFFD on the way out.
function cleaned(text: string | undefined): string | undefined {
  return text?.replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '\ufffd')
}
