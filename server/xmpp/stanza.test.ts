import { describe, expect, test } from 'vitest'
import { xml } from './element.ts'
import { buildStanza, Stanza } from './stanza.ts'

const stanza = (text: string) => Stanza.fromBytes(Buffer.from(text))
const MESSAGE =
  "<message to='juliet@office.test' id='1' p:foreign='x' xmlns:p='urn:p'><body>Hi &amp; <![CDATA[<bye>]]> you</body> <x xmlns='urn:x' a='1&amp;2'><y/></x><p:z/></message>"

describe('A stanza out of bytes', () => {
  test('has header and index', () => {
    const message = stanza(MESSAGE)
    expect(message).toMatchObject({
      kind: 'message',
      name: 'message',
      ns: 'jabber:client',
      to: 'juliet@office.test',
      id: '1',
      from: undefined,
    })
    expect(message.children.map(({ name, ns }) => `${name} ${ns}`)).toEqual([
      'body jabber:client',
      'x urn:x',
      'z urn:p',
    ])
    expect(message.has('x', 'urn:x')).toBe(true)
    expect(message.has('x', 'jabber:client')).toBe(false)
  })

  test('may have its content namespace written, of any kind of stream', () => {
    for (const ns of ['jabber:client', 'jabber:server', 'jabber:component:accept']) {
      expect(String(stanza(`<iq xmlns='${ns}' type='get'/>`))).toBe("<iq type='get'/>")
    }
    expect(stanza("<iq xmlns='urn:x'/>")).toMatchObject({ kind: 'other', ns: 'urn:x' })
    expect(stanza("<s:error xmlns:s='urn:s'><a/></s:error>")).toMatchObject({
      kind: 'other',
      name: 'error',
      ns: 'urn:s',
    })
  })
})

describe('A child', () => {
  test('comes out as a tree whose namespaces resolve as inside the stanza', () => {
    const message = stanza(MESSAGE)
    const body = message.child('body', 'jabber:client')
    expect(body?.getText()).toBe('Hi & <bye> you')
    expect(body?.getNS()).toBe('jabber:client')
    expect(message.child('z', 'urn:p')?.getNS()).toBe('urn:p')
    expect(message.child('z', 'urn:p')?.toString()).toBe('<p:z xmlns:p="urn:p"/>')
    expect(message.child('nothing', 'urn:x')).toBeUndefined()
  })

  test('has attributes that are read without a tree', () => {
    const message = stanza(MESSAGE)
    const x = message.children[1]
    expect(x && message.attribute(x, 'a')).toBe('1&2')
    expect(x && message.attribute(x, 'b')).toBeUndefined()
  })
})

describe('with', () => {
  test('sets what is given, takes away what is undefined, and leaves the rest as it is', () => {
    const message = stanza(MESSAGE)
    const changed = message.with({ from: "ro'meo@office.test/<é>", to: undefined, id: '2', lang: 'de' })
    expect(changed).toMatchObject({ from: "ro'meo@office.test/<é>", to: undefined, id: '2', lang: 'de' })
    expect(String(changed)).toBe(
      `<message from='ro&apos;meo@office.test/&lt;é&gt;' id='2' xml:lang='de' p:foreign='x' xmlns:p='urn:p'>${MESSAGE.slice(MESSAGE.indexOf('<body'))}`,
    )
    expect(changed.child('body', 'jabber:client')?.getText()).toBe('Hi & <bye> you')
    expect(String(message)).toBe(MESSAGE)
  })

  test('that changes nothing returns the stanza itself', () => {
    const message = stanza(MESSAGE)
    expect(message.with({ id: '1', from: undefined })).toBe(message)
  })

  test('keeps white space of a value through normalisation', () => {
    const changed = stanza('<iq/>').with({ id: 'a\tb\nc' })
    expect(stanza(String(changed)).id).toBe('a\tb\nc')
  })
})

describe('append', () => {
  test('adds children before the end tag, also to an empty element', () => {
    const empty = stanza("<message to='a'/>").append("<a xmlns='urn:a'/><b/>")
    expect(String(empty)).toBe("<message to='a'><a xmlns='urn:a'/><b/></message>")
    expect(empty.children.map(({ name, ns }) => `${name} ${ns}`)).toEqual(['a urn:a', 'b jabber:client'])
    const full = empty.append(xml('c', { xmlns: 'urn:c', d: '<' }, 'text'))
    expect(full.child('c', 'urn:c')?.getText()).toBe('text')
    expect(full.child('b', 'jabber:client')).toBeDefined()
    expect(String(full)).toBe(`<message to='a'><a xmlns='urn:a'/><b/><c xmlns="urn:c" d="&lt;">text</c></message>`)
  })
})

describe('without', () => {
  test('cuts children out and keeps the index right', () => {
    const message = stanza(MESSAGE).without(({ ns }) => ns === 'urn:x')
    expect(message.has('x', 'urn:x')).toBe(false)
    expect(message.child('z', 'urn:p')).toBeDefined()
    expect(String(message)).not.toContain('urn:x')
    expect(message.without(({ ns }) => ns === 'urn:x')).toBe(message)
  })
})

describe('A stanza of our own', () => {
  test('is built from a header and children', () => {
    const built = buildStanza(
      'iq',
      { type: 'result', id: '<1>', to: undefined },
      xml('query', { xmlns: 'urn:q' }),
      '<a/>',
    )
    expect(String(built)).toBe(`<iq id='&lt;1&gt;' type='result'><query xmlns="urn:q"/><a/></iq>`)
    expect(built).toMatchObject({ kind: 'iq', id: '<1>', type: 'result' })
    expect(String(buildStanza('presence', {}))).toBe('<presence/>')
  })

  test('comes out of a tree, with characters that XML cannot carry replaced', () => {
    const message = Stanza.from(xml('message', { xmlns: 'jabber:client', to: 'a' }, xml('body', {}, 'x\u0000y\ud800z')))
    expect(String(message)).toBe('<message to="a"><body>x\ufffdy\ufffdz</body></message>')
    expect(message.kind).toBe('message')
  })

  test('as a document has its namespace written, as a tree too', () => {
    const iq = buildStanza('iq', { id: '1' })
    expect(iq.toDocument().toString()).toBe("<iq xmlns='jabber:client' id='1'/>")
    expect(iq.element.getNS()).toBe('jabber:client')
    expect(iq.element).toBe(iq.element)
    expect(String(Stanza.from(iq.element))).toBe('<iq id="1"/>')
  })
})
