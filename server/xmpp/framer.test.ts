import { describe, expect, test } from 'vitest'
import { Framer, FramerError, type FramerEvent, type FramerOptions } from './framer.ts'
import type { Stanza } from './stanza.ts'

const OPEN =
  "<stream:stream to='office.test' version='1.0' xml:lang='en' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
const SERVER_OPEN =
  "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' xmlns:stream='http://etherx.jabber.org/streams'>"

/** Reads all of this; returns what came out, and the condition when it was refused. */
function read(text: string | Buffer, options: Partial<FramerOptions> = {}, open = OPEN) {
  const framer = new Framer({ mode: 'stream', ...options })
  const events: FramerEvent[] = []
  const emit = (event: FramerEvent) => void events.push(event)
  let fault: string | undefined
  try {
    if (framer && options.mode !== 'document') framer.push(Buffer.from(open), emit)
    framer.push(Buffer.from(text), emit)
  } catch (error) {
    if (!(error instanceof FramerError)) throw error
    fault = error.condition
  }
  const stanzas = events.flatMap(event => (event.type === 'stanza' ? [event.stanza] : []))
  return { framer, events, stanzas, fault, texts: stanzas.map(String) }
}

const fault = (text: string | Buffer) => read(text).fault

function first(text: string, open = OPEN): Stanza {
  const { stanzas, fault } = read(text, {}, open)
  const [stanza] = stanzas
  if (stanza === undefined) throw new Error(`no stanza: ${fault}`)
  return stanza
}

describe('The stream', () => {
  test('opens with its header, with or without an XML declaration', () => {
    for (const declaration of [
      '',
      "<?xml version='1.0'?>",
      '<?xml version="1.0" encoding="utf-8" standalone="no" ?>\n',
      ' \n',
    ]) {
      const { events } = read('', {}, declaration + OPEN)
      expect(events).toEqual([
        {
          type: 'open',
          name: 'stream',
          ns: 'http://etherx.jabber.org/streams',
          prefix: 'stream',
          prefixes: new Map([['stream', 'http://etherx.jabber.org/streams']]),
          header: {
            to: 'office.test',
            from: undefined,
            id: undefined,
            version: '1.0',
            lang: 'en',
            defaultNs: 'jabber:client',
          },
        },
      ])
    }
  })

  test('is refused when it is not XML 1.0 in UTF-8', () => {
    expect(read('', {}, "<?xml version='1.1'?>").fault).toBe('not-well-formed')
    expect(read('', {}, "<?xml version='1.0' encoding='UTF-16'?>").fault).toBe('unsupported-encoding')
    expect(read('', {}, "<?xml version='1.0'?><?xml version='1.0'?>").fault).toBe('restricted-xml')
    expect(read('', {}, `<?xml ${' '.repeat(300)}`).fault).toBe('not-well-formed')
    expect(read('', {}, '<?php ?>').fault).toBe('restricted-xml')
    expect(read('', {}, '<!DOCTYPE x>').fault).toBe('restricted-xml')
    expect(read('', {}, 'GET / HTTP/1.1').fault).toBe('not-well-formed')
    expect(read('', {}, '\ufeff<stream/>').fault).toBe('not-well-formed')
  })

  test('gives stanzas in order, lets white space between them pass, and closes', () => {
    const { events, texts } = read(`\n<iq id='1'/> \t<message/>\r\n</stream:stream >ignored`)
    expect(texts).toEqual(["<iq id='1'/>", '<message/>'])
    expect(events.at(-1)).toEqual({ type: 'close' })
  })

  test('may end with its header', () => {
    expect(read('', {}, OPEN.replace(/>$/, '/>')).events.map(event => event.type)).toEqual(['open', 'close'])
  })

  test('is refused when text stands between stanzas or its end tag is another', () => {
    expect(fault('hello')).toBe('bad-format')
    expect(fault('<![CDATA[hello]]>')).toBe('bad-format')
    expect(fault('</stream:streams>')).toBe('not-well-formed')
    expect(fault('</stream>')).toBe('not-well-formed')
  })
})

describe('A stanza', () => {
  test('has its header decoded and its children indexed', () => {
    const stanza = first(
      `<message to='juliet@office.test' from="a&amp;b" id='x&#x41;' type='chat' xml:lang='de'><body>Hi</body><x xmlns='urn:x'><y/></x></message>`,
    )
    expect(stanza).toMatchObject({
      kind: 'message',
      name: 'message',
      ns: 'jabber:client',
      to: 'juliet@office.test',
      from: 'a&b',
      id: 'xA',
      type: 'chat',
      lang: 'de',
    })
    expect(stanza.children.map(({ name, ns }) => [name, ns])).toEqual([
      ['body', 'jabber:client'],
      ['x', 'urn:x'],
    ])
    const [body, x] = stanza.children
    expect(stanza.bytes.subarray(body?.start, body?.end).toString()).toBe('<body>Hi</body>')
    expect(stanza.bytes.subarray(x?.start, x?.end).toString()).toBe("<x xmlns='urn:x'><y/></x>")
  })

  test('is canonical: its content namespace is not written, the prefixes of the stream header are', () => {
    expect(String(first("<message  xmlns='jabber:client' id='1'><body/></message>"))).toBe(
      "<message id='1'><body/></message>",
    )
    const stanza = first("<message xmlns='jabber:client' id='1'><stream:x/></message>")
    expect(String(stanza)).toBe("<message xmlns:stream='http://etherx.jabber.org/streams' id='1'><stream:x/></message>")
    expect(stanza.id).toBe('1')
    expect(stanza.child('x', 'http://etherx.jabber.org/streams')?.name).toBe('stream:x')
  })

  test('is the same stanza on a server stream', () => {
    const stanza = first(
      "<message xmlns='jabber:server' id='1'><body xmlns='jabber:server'>Hi</body><a/></message>",
      SERVER_OPEN,
    )
    expect(String(stanza)).toBe("<message id='1'><body>Hi</body><a/></message>")
    expect(stanza).toMatchObject({ kind: 'message', ns: 'jabber:client', id: '1' })
    expect(stanza.children.map(({ ns }) => ns)).toEqual(['jabber:client', 'jabber:client'])
  })

  test('in no namespace or another is no stanza, but an element that stands alone', () => {
    expect(first("<message xmlns='urn:x'/>")).toMatchObject({ kind: 'other', ns: 'urn:x' })
    expect(first("<message xmlns=''/>")).toMatchObject({ kind: 'other', ns: '' })
    expect(String(first('<message/>', "<s:stream xmlns:s='http://etherx.jabber.org/streams'>"))).toBe(
      "<message xmlns=''/>",
    )
    expect(String(first('<foo/>'))).toBe("<foo xmlns='jabber:client'/>")
    expect(String(first('<stream:error><a/></stream:error>'))).toBe(
      "<stream:error xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:client'><a/></stream:error>",
    )
    expect(first("<db:result from='a'>x</db:result>", SERVER_OPEN)).toMatchObject({
      kind: 'other',
      name: 'result',
      ns: 'jabber:server:dialback',
    })
    expect(String(first("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AA</auth>"))).toBe(
      "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AA</auth>",
    )
  })

  test('is refused with a prefix or in the namespace of another kind of stream', () => {
    expect(fault("<c:message xmlns:c='jabber:client'/>")).toBe('bad-namespace-prefix')
    expect(fault("<message xmlns='jabber:server'/>")).toBe('invalid-namespace')
  })
})

describe('What is not well-formed', () => {
  test.each([
    ['an end tag that does not match', '<a></b>'],
    ['an end tag that is longer', '<a></ab>'],
    ['a tag in a tag', '<a <b/>'],
    ['a name that begins with a digit', '<1/>'],
    ['a name that is not there', '< a/>'],
    ['a name with two colons', "<a:b:c xmlns:a='x'/>"],
    ['a name that begins or ends with a colon', '<:a/>'],
    ['an attribute without a value', '<a b/>'],
    ['an attribute without quotes', '<a b=c/>'],
    ['attributes without a blank between', "<a b='1'c='2'/>"],
    ['an attribute given twice', "<a b='1' b='2'/>"],
    [
      'an attribute given twice among many',
      `<a b='1' ${Array.from({ length: 20 }, (_, index) => `a${index}=''`).join(' ')} b='2'/>`,
    ],
    ['an attribute given twice by two prefixes', "<a xmlns:p='x' xmlns:q='x' p:a='' q:a=''/>"],
    ['"<" in an attribute', "<a b='<'/>"],
    ['"]]>" in text', '<a>]]></a>'],
    ['a bare ampersand', '<a>&</a>'],
    ['a bare ampersand before a blank', '<a>a & b;</a>'],
    ['a character reference to NUL', '<a>&#0;</a>'],
    ['a character reference to a surrogate', '<a>&#xD800;</a>'],
    ['a character reference that is too large', '<a>&#x110000;</a>'],
    ['a character reference without digits', "<a b='&#;'/>"],
    ['a reference that does not end', `<a>&${'x'.repeat(40)}`],
    ['a control character', '<a>\x01</a>'],
    ['a control character in CDATA', '<a><![CDATA[\x01]]></a>'],
    ['U+FFFE', '<a>\ufffe</a>'],
    ['a prefix that is not declared', '<a:b/>'],
    ['a prefix of an attribute that is not declared', "<a b:c=''/>"],
    ['a prefix that is declared as nothing', "<a xmlns:b=''/>"],
    ['a prefix that is out of scope', "<a><b xmlns:p='x'/><p:c/></a>"],
    ['a declaration of the prefix xmlns', "<a xmlns:xmlns='x'/>"],
    ['another meaning of the prefix xml', "<a xmlns:xml='x'/>"],
    ['another prefix for the namespace of xml', "<a xmlns:b='http://www.w3.org/XML/1998/namespace'/>"],
    ['the namespace of xmlns as the default, deep inside', "<a><b><c xmlns='http://www.w3.org/2000/xmlns/'/></b></a>"],
    ['something that is not quite CDATA', '<a><![CDATE[]]></a>'],
  ])('is refused: %s', (_, text) => {
    expect(fault(text)).toBe('not-well-formed')
  })

  test.each([
    ['a comment', '<a><!-- --></a>'],
    ['a processing instruction', '<a><?x ?></a>'],
    ['an entity of its own', '<a>&nbsp;</a>'],
    ['a document type', '<!DOCTYPE a>'],
  ])('is well-formed but not allowed in XMPP: %s', (_, text) => {
    expect(fault(text)).toBe('restricted-xml')
  })

  test.each([
    ['a lone continuation byte', [0x80]],
    ['an overlong "/"', [0xc0, 0xaf]],
    ['an overlong sequence of three', [0xe0, 0x80, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['a character above U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
    ['a sequence that is cut short', [0xe2, 0x82, 0x41]],
    ['0xff', [0xff]],
  ])('is not UTF-8: %s', (_, bytes) => {
    for (const [before, after] of [
      ['<a>', '</a>'],
      ["<a b='", "'/>"],
      ['<a', '/>'],
      ['<a><![CDATA[', ']]></a>'],
    ] as const) {
      expect(fault(Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)]))).toBe(
        'unsupported-encoding',
      )
    }
  })

  test('says so once, and what comes afterwards is ignored', () => {
    const { framer } = read('<a></b>')
    framer.push(Buffer.from('<iq/>'), () => expect.unreachable())
    expect(framer.buffered).toBe(0)
  })
})

describe('What is well-formed', () => {
  test.each([
    '<a b = "1"\tc\n=\n\'2\' ></a >',
    '<é:名 xmlns:é="urn:é"/>',
    '<a>]] ]]&gt; > &lt;&#9;&#x1F600;</a>',
    "<a b=\"'\" c='\"' d='>'/>",
    '<a><![CDATA[<&]]]]><![CDATA[>]]>text</a>',
    "<a xmlns:p='x' xmlns:q='y' p:a='' q:a='' a=''/>",
    "<a xmlns:p='x'><b xmlns:p='y' p:c=''/><p:d/></a>",
    "<a xml:space='preserve' xmlns:xml='http://www.w3.org/XML/1998/namespace'/>",
    '<a b="\u{10fffd}\ufffd\x7f\u0085"/>',
  ])('is accepted: %s', text => {
    expect(fault(text)).toBeUndefined()
    expect(read(text).stanzas.length).toBe(1)
  })
})

describe('Limits', () => {
  test('a stanza is refused as it passes its limit in bytes, not when it is complete', () => {
    const limits = { stanzaBytes: 100 }
    const exact = `<a>${'x'.repeat(93)}</a>`
    const small = new Framer({ mode: 'stream', limits: { stanzaBytes: 1000 } })
    small.push(Buffer.from(OPEN), () => undefined)
    small.setLimits(limits)
    let count = 0
    small.push(Buffer.from(exact), () => count++)
    expect(count).toBe(1)
    expect(() => small.push(Buffer.from(`<a>${'x'.repeat(97)}`), () => count++)).toThrow(/policy-violation|larger/)
    expect(count).toBe(1)
  })

  test('the larger limit after login holds for what comes next', () => {
    const { framer } = read('')
    framer.setLimits({ stanzaBytes: 10 })
    framer.setLimits({ depth: 5 })
    expect(() => framer.push(Buffer.from('<a>123456789</a>'), () => undefined)).toThrow(FramerError)
  })

  test('keepalives between stanzas do not add up', () => {
    const { framer } = read('', { limits: { stanzaBytes: 200 } })
    for (let index = 0; index < 1000; index++) framer.push(Buffer.from(' '), () => undefined)
    expect(framer.buffered).toBe(0)
  })

  test('nesting, attributes, children and prefixes have limits', () => {
    const nested = (depth: number) => '<a>'.repeat(depth) + '</a>'.repeat(depth)
    expect(fault(nested(100))).toBeUndefined()
    expect(fault(nested(101))).toBe('policy-violation')
    expect(fault('<a>'.repeat(8000))).toBe('policy-violation')
    const attributes = (count: number) =>
      `<a ${Array.from({ length: count }, (_, index) => `a${index}=''`).join(' ')}/>`
    expect(fault(attributes(256))).toBeUndefined()
    expect(fault(attributes(257))).toBe('policy-violation')
    expect(fault(`<a>${'<b/>'.repeat(1000)}</a>`)).toBeUndefined()
    expect(fault(`<a>${'<b/>'.repeat(1001)}</a>`)).toBe('policy-violation')
    const prefixes = (count: number) =>
      `<a ${Array.from({ length: count }, (_, index) => `xmlns:a${index}='x'`).join(' ')}/>`
    expect(fault(prefixes(60))).toBeUndefined()
    expect(fault(prefixes(70))).toBe('policy-violation')
    const header = (count: number) =>
      OPEN.replace(
        '>',
        Array.from({ length: count }, (_, index) => ` xmlns:a${index}='x'`)
          .join('')
          .concat('>'),
      )
    expect(read('', {}, header(15)).fault).toBeUndefined()
    expect(read('', {}, header(16)).fault).toBe('policy-violation')
  })
})

describe('A pause', () => {
  test('stops behind the stanza being emitted, and resume goes on with what is buffered', () => {
    const { framer } = read('')
    const ids: (string | undefined)[] = []
    const emit = (event: FramerEvent) => {
      if (event.type !== 'stanza') return
      ids.push(event.stanza.id)
      framer.pause()
    }
    framer.push(Buffer.from("<iq id='1'/><iq id='2'/><iq id"), emit)
    expect(ids).toEqual(['1'])
    expect(framer.buffered).toBe("<iq id='2'/><iq id".length)
    framer.push(Buffer.from("='3'/>"), emit)
    expect(ids).toEqual(['1'])
    framer.resume(emit)
    framer.resume(emit)
    expect(ids).toEqual(['1', '2', '3'])
    expect(framer.buffered).toBe(0)
  })

  test('does not let the other side send without end', () => {
    const { framer } = read('')
    framer.pause()
    const push = () => framer.push(Buffer.alloc(100_000, 0x20), () => undefined)
    for (let index = 0; index < 10; index++) push()
    expect(push).toThrow(FramerError)
  })

  test('with a reset for STARTTLS drops what was sent in the clear and says how much', () => {
    const { framer } = read('')
    let dropped = -1
    framer.push(Buffer.from("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><iq/>"), () => {
      dropped = framer.reset()
    })
    expect(dropped).toBe(5)
    const events: FramerEvent[] = []
    framer.push(Buffer.from(SERVER_OPEN), event => events.push(event))
    expect(events).toMatchObject([{ type: 'open', header: { defaultNs: 'jabber:server' } }])
  })

  test('with a reset for SASL may keep the new header that was sent ahead', () => {
    const { framer } = read('')
    const events: FramerEvent[] = []
    framer.push(
      Buffer.from(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>\n<?xml version='1.0'?>${OPEN}<iq/>`),
      event => {
        events.push(event)
        if (events.length === 1) expect(framer.reset({ keepBuffered: true })).toBe(0)
      },
    )
    expect(events.map(event => event.type)).toEqual(['stanza', 'open', 'stanza'])
  })
})

describe('Over WebSocket', () => {
  const FRAMING = 'urn:ietf:params:xml:ns:xmpp-framing'
  const documents = (...texts: string[]) => {
    const framer = new Framer({ mode: 'document' })
    const events: FramerEvent[] = []
    for (const text of texts) framer.push(Buffer.from(text), event => events.push(event))
    return events
  }

  test('each message is one element, and stanzas come out as they do over TCP', () => {
    const events = documents(
      `<open xmlns='${FRAMING}' to='office.test' version='1.0'/>`,
      "<message xmlns='jabber:client' id='1'><body/></message>",
      `<close xmlns="${FRAMING}" />`,
    )
    expect(events.map(event => event.type)).toEqual(['open', 'stanza', 'close'])
    expect(events[0]).toMatchObject({ name: 'open', ns: FRAMING, header: { to: 'office.test', version: '1.0' } })
    const stanza = events[1]?.type === 'stanza' ? events[1].stanza : undefined
    expect(stanza).toMatchObject({ kind: 'message', ns: 'jabber:client', id: '1' })
    expect(String(stanza)).toBe("<message id='1'><body/></message>")
    expect(stanza?.toDocument().toString()).toBe("<message xmlns='jabber:client' id='1'><body/></message>")
  })

  test('a message that is not exactly one element is refused', () => {
    for (const text of [
      '<a/><b/>',
      '<a>',
      '<a/>x',
      ' ',
      'x',
      "<?xml version='1.0'?>",
      '</a>',
      '<a',
      `<open xmlns='${FRAMING}'>`,
    ]) {
      expect(() => documents(text), text).toThrow(FramerError)
    }
    expect(documents("<?xml version='1.0'?><a/> ").length).toBe(1)
  })

  test('a pause keeps messages apart', () => {
    const framer = new Framer({ mode: 'document' })
    const names: string[] = []
    const emit = (event: FramerEvent) => {
      if (event.type === 'stanza') names.push(event.stanza.name)
      framer.pause()
    }
    for (const text of ['<a/>', '<b/>', '<c>', '</c>']) framer.push(Buffer.from(text), emit)
    framer.resume(emit)
    expect(names).toEqual(['a', 'b'])
    expect(() => framer.resume(emit)).toThrow(FramerError)
  })

  test('a reset for SASL inside the message goes on with the next one', () => {
    const framer = new Framer({ mode: 'document' })
    const types: string[] = []
    const emit = (event: FramerEvent) => {
      types.push(event.type)
      if (event.type === 'stanza') framer.reset({ keepBuffered: true })
    }
    for (const text of [`<open xmlns='${FRAMING}'/>`, '<auth/> ', `<open xmlns='${FRAMING}'/>`])
      framer.push(Buffer.from(text), emit)
    expect(types).toEqual(['open', 'stanza', 'open'])
  })
})

describe('Memory', () => {
  test('small stanzas do not keep a large chunk, large ones are not copied', () => {
    const { framer } = read('')
    const chunk = Buffer.allocUnsafeSlow(60_000)
    chunk.fill(' ')
    chunk.write('<iq/>', 100)
    framer.push(chunk, event => {
      if (event.type === 'stanza') expect(event.stanza.bytes.buffer).not.toBe(chunk.buffer)
    })
    const large = Buffer.allocUnsafeSlow(50_007)
    large.write(`<a xmlns=''>${'x'.repeat(49_991)}</a>`)
    framer.push(large, event => {
      if (event.type === 'stanza') expect(event.stanza.bytes.buffer).toBe(large.buffer)
    })
    expect.assertions(2)
  })

  test('a stanza of 200 kB costs time in proportion to its length, also byte by byte', () => {
    // Ten times the bytes may not cost fifty times the time; a quadratic one would cost a hundred times.
    const cost = (length: number, step: number) => {
      const bytes = Buffer.from(
        `<a b='${'y'.repeat(length / 2)}'>${'é<b/>'.repeat(length / 400)}${'x'.repeat(length / 2)}</a>`,
      )
      const { framer } = read('')
      const start = process.cpuUsage()
      for (let at = 0; at < bytes.length; at += step) framer.push(bytes.subarray(at, at + step), () => undefined)
      const { user, system } = process.cpuUsage(start)
      return user + system
    }
    cost(20_000, 1)
    expect(cost(200_000, 1)).toBeLessThan(50 * Math.max(cost(20_000, 1), 2_000))
    expect(cost(200_000, 1000)).toBeLessThan(1_000_000)
  })

  test('hostile stanzas of 256 kB are refused or read within a tenth of a second of CPU', () => {
    const hostile = {
      attributes: `<a ${Array.from({ length: 40_000 }, (_, index) => `a${index}=''`).join(' ')}/>`,
      'attributes on each of many elements': `<a>${`<b ${Array.from({ length: 250 }, (_, index) => `a${index}=''`).join(' ')}/>`.repeat(100)}</a>`,
      prefixes: `<a ${Array.from({ length: 20_000 }, (_, index) => `xmlns:a${index}='x'`).join(' ')}/>`,
      'uses of many prefixes': `<a ${Array.from({ length: 60 }, (_, index) => `xmlns:a${index}='x'`).join(' ')}><x>${'<a1:x/>'.repeat(30_000)}</x></a>`,
      children: `<a><b>${'<c/>'.repeat(60_000)}</b></a>`,
      'nested elements': '<a>'.repeat(80_000),
      references: `<a b='${'&amp;'.repeat(50_000)}'/>`,
      'half references': `<a>${'&#00000000000000000000000000065;'.repeat(8_000)}</a>`,
    }
    for (const [name, text] of Object.entries(hostile)) {
      const bytes = Buffer.from(text)
      const costs = [1, 2, 3].map(() => {
        const start = process.cpuUsage()
        read(bytes)
        const { user, system } = process.cpuUsage(start)
        return (user + system) / 1000
      })
      expect(Math.min(...costs), name).toBeLessThan(100)
    }
  })
})
