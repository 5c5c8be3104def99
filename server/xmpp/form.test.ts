import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseElement } from './element.ts'
import { StanzaError } from './errors.ts'
import { checkForm, type Field, formElement, readForm, tableElement } from './form.ts'

const fields: Field[] = [
  { var: 'name', type: 'text-single', label: 'Room name', isRequired: true, value: 'Verona' },
  { var: 'public', type: 'boolean', value: true },
  {
    var: 'who',
    type: 'list-single',
    options: [{ value: 'anyone', label: 'Anyone' }, { value: 'members' }],
    value: 'anyone',
  },
  { var: 'langs', type: 'list-multi', options: [{ value: 'en' }, { value: 'it' }], value: ['en', 'it'] },
  { var: 'owner', type: 'jid-single' },
  { var: 'admins', type: 'jid-multi' },
  { var: 'about', type: 'text-multi', value: ['one', 'two'] },
  { var: 'note', type: 'fixed', value: 'Read this' },
]

const submit = (inside: string, type = 'submit') =>
  readForm(parseElement(`<x xmlns='jabber:x:data' type='${type}'>${inside}</x>`))
const field = (name: string, ...values: string[]) =>
  `<field var='${name}'>${values.map(value => `<value>${value}</value>`).join('')}</field>`
const named = field('name', 'Verona')
const check = (inside: string) => Object.fromEntries(checkForm(submit(named + inside), fields, 'urn:example:room'))

/** Condition and text of the StanzaError that `action` throws. */
function refusal(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    if (error instanceof StanzaError) return `${error.condition}: ${error.text}`
    throw error
  }
  return 'no error'
}

describe('a form that is sent', () => {
  test('has type, title, FORM_TYPE and fields with their options', () => {
    const form = formElement({ type: 'form', formType: 'urn:example:room', title: 'Room', fields: fields.slice(0, 3) })
    expect(form.toString()).toBe(
      '<x xmlns="jabber:x:data" type="form"><title>Room</title>' +
        '<field var="FORM_TYPE" type="hidden"><value>urn:example:room</value></field>' +
        '<field var="name" type="text-single" label="Room name"><required/><value>Verona</value></field>' +
        '<field var="public" type="boolean"><value>1</value></field>' +
        '<field var="who" type="list-single"><value>anyone</value><option label="Anyone"><value>anyone</value></option>' +
        '<option><value>members</value></option></field></x>',
    )
  })

  test('as a result has values only', () => {
    expect(formElement({ type: 'result', fields: fields.slice(2, 3) }).toString()).toBe(
      '<x xmlns="jabber:x:data" type="result"><field var="who" type="list-single"><value>anyone</value></field></x>',
    )
  })

  test('as a table has a heading and items', () => {
    const columns: Field[] = [
      { var: 'jid', type: 'jid-single', label: 'Address' },
      { var: 'nick', type: 'text-single' },
    ]
    expect(
      tableElement({ columns, items: [{ jid: 'romeo@office.test', nick: '<R>' }, { jid: 'a@b' }] }).toString(),
    ).toBe(
      '<x xmlns="jabber:x:data" type="result"><reported><field var="jid" type="jid-single" label="Address"/>' +
        '<field var="nick" type="text-single"/></reported>' +
        '<item><field var="jid"><value>romeo@office.test</value></field><field var="nick"><value>&lt;R&gt;</value></field></item>' +
        '<item><field var="jid"><value>a@b</value></field><field var="nick"/></item></x>',
    )
  })

  test('comes back as it was when it is submitted unchanged', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.boolean(), fc.array(fc.string()), (name, isPublic, about) => {
        const filled: Field[] = [
          { var: 'name', type: 'text-single', value: name },
          { var: 'public', type: 'boolean', value: isPublic },
          { var: 'about', type: 'text-multi', value: about },
        ]
        const element = formElement({ type: 'submit', formType: 'urn:example:room', fields: filled })
        expect(Object.fromEntries(checkForm(readForm(element), filled))).toEqual({ name, public: isPublic, about })
      }),
    )
  })
})

describe('a form that is received', () => {
  test('gives values of the right kind and ignores what it does not know', () => {
    const inside =
      field('FORM_TYPE', 'urn:example:room') +
      field('public', 'false') +
      field('who', 'members') +
      field('langs', 'it') +
      field('owner', 'Romeo@Office.test') +
      field('admins', 'A@b', 'a@b', 'c@d') +
      field('about', 'x', 'y') +
      field('unknown', '1')
    expect(check(inside)).toEqual({
      name: 'Verona',
      public: false,
      who: 'members',
      langs: ['it'],
      owner: 'romeo@office.test',
      admins: ['a@b', 'c@d'],
      about: ['x', 'y'],
    })
  })

  test('leaves out what it does not mention', () => {
    expect(check('')).toEqual({ name: 'Verona' })
  })

  test('takes empty values as taken away', () => {
    expect(check(field('owner', '') + field('admins') + field('public', ''))).toEqual({
      name: 'Verona',
      owner: '',
      admins: [],
    })
  })

  test.each([
    [field('public', 'yes'), 'not-acceptable: public: “yes” is neither 1 nor 0.'],
    [field('who', 'nobody'), 'not-acceptable: who: “nobody” is none of the options.'],
    [field('langs', 'en', 'xx'), 'not-acceptable: langs: “xx” is none of the options.'],
    [field('owner', 'a b@c'), 'not-acceptable: owner: “a b@c” is not an address such as name@example.com.'],
    [field('who', 'anyone', 'members'), 'not-acceptable: who: only one value is possible.'],
    [field('FORM_TYPE', 'urn:other'), 'bad-request: The FORM_TYPE of this form is urn:example:room.'],
    [field('name', 'x'), 'bad-request: Each field of a form has a var of its own.'],
    ['<field><value>1</value></field>', 'bad-request: Each field of a form has a var of its own.'],
  ])('is refused with %s', (inside, expected) => {
    expect(refusal(() => check(inside))).toBe(expected)
  })

  test('is refused without a required value', () => {
    const expected = 'not-acceptable: Room name: a value is required.'
    expect(refusal(() => checkForm(submit(''), fields))).toBe(expected)
    expect(refusal(() => checkForm(submit(field('name', '')), fields))).toBe(expected)
  })

  test('is refused when it is no form, or one of another type', () => {
    expect(refusal(() => readForm(undefined))).toContain('bad-request')
    expect(refusal(() => submit('', 'bogus'))).toContain('bad-request')
    expect(refusal(() => checkForm(submit(named, 'result'), fields))).toContain('bad-request')
    expect(submit('', 'cancel').type).toBe('cancel')
  })
})
