// The whole protocol is played in test/protocol/archive.test.ts, the SQL is tested beside core/archive-query.ts.
import { describe, expect, test } from 'vitest'
import { parseElement } from '../xmpp/element.ts'
import { readFilter } from './archive.ts'

const NS = 'urn:xmpp:mam:2'
const query = (fields: string, type = 'submit', formType = NS) =>
  parseElement(
    `<query xmlns='${NS}'><x xmlns='jabber:x:data' type='${type}'><field var='FORM_TYPE'><value>${formType}</value></field>${fields}</x></query>`,
  )
const field = (name: string, ...values: string[]) =>
  `<field var='${name}'>${values.map(value => `<value>${value}</value>`).join('')}</field>`

describe('the filter of a query', () => {
  test('is open without a form', () => {
    expect(readFilter(parseElement(`<query xmlns='${NS}'/>`))).toEqual({})
  })

  test('has what the form says', () => {
    const filter = readFilter(
      query(
        field('with', 'ROMEO@office.test/pc') +
          field('start', '2010-06-07T02:00:00+02:00') +
          field('end', '2010-07-07T13:23:54.5Z') +
          field('after-id', 'a') +
          field('before-id', 'b') +
          field('ids', 'c', 'd') +
          field('include-groupchat', 'true'),
      ),
    )
    expect({ ...filter, with: filter.with?.full }).toEqual({
      with: 'romeo@office.test/pc',
      startMs: Date.UTC(2010, 5, 7),
      endMs: Date.UTC(2010, 6, 7, 13, 23, 54, 500),
      afterId: 'a',
      beforeId: 'b',
      ids: ['c', 'd'],
    })
  })

  test('leaves out fields that are empty', () => {
    const filter = readFilter(query(field('with', '') + field('start') + field('after-id', '')))
    expect([filter.with, filter.startMs, filter.afterId]).toEqual([undefined, undefined, undefined])
  })

  test.each([
    ['a field that nobody knows', query(field('{urn:x}search', 'x')), 'feature-not-implemented'],
    ['no time', query(field('start', '2010-02-31T00:00:00Z')), 'bad-request'],
    ['another form', query('', 'submit', 'urn:other'), 'bad-request'],
    ['a form that was not filled in', query('', 'form'), 'bad-request'],
    ['very many ids', query(field('ids', ...Array.from({ length: 251 }, String))), 'policy-violation'],
  ])('refuses %s', (_, payload, condition) => {
    expect(() => readFilter(payload)).toThrow(expect.objectContaining({ condition }))
  })
})
