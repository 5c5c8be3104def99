import { describe, expect, test } from 'vitest'
import { parseElement, xml } from './element.ts'
import { StanzaError } from './errors.ts'
import { pageElement, readPageRequest } from './rsm.ts'

const limits = { usual: 50, most: 100 }
const request = (set: string) =>
  readPageRequest(
    parseElement(`<query xmlns='urn:example'><set xmlns='http://jabber.org/protocol/rsm'>${set}</set></query>`),
    limits,
  )
const first = { max: 50, after: undefined, before: undefined, isBackward: false, index: undefined }

describe('a page is asked for (XEP-0059)', () => {
  test.each([
    ['a limit', '<max>10</max>', { max: 10 }],
    ['more than is given', '<max>5000</max>', { max: 100 }],
    ['the count only', '<max>0</max>', { max: 0 }],
    ['the page after an item', '<max>10</max><after>a@b</after>', { max: 10, after: 'a@b' }],
    ['the page before an item', '<max>10</max><before>a@b</before>', { max: 10, before: 'a@b', isBackward: true }],
    ['the last page', '<max>10</max><before/>', { max: 10, isBackward: true }],
    ['a page by position', '<max>10</max><index>371</index>', { max: 10, index: 371 }],
    [
      'what lies between two items',
      '<after>a</after><before>b</before>',
      { after: 'a', before: 'b', isBackward: true },
    ],
    ['nothing special', '', {}],
  ])('%s', (_name, set, expected) => {
    expect(request(set)).toEqual({ ...first, ...expected })
  })

  test('by a request without a set', () => {
    expect(readPageRequest(xml('query'), limits)).toEqual(first)
    expect(readPageRequest(undefined, limits)).toEqual(first)
  })

  test.each(['<max>-1</max>', '<max>ten</max>', '<index>1.5</index>', '<max>9999999999999999999</max>'])(
    'not by %s',
    set => {
      expect(() => request(set)).toThrow(StanzaError)
    },
  )
})

describe('a page is given', () => {
  test('with its first and last item and the count', () => {
    expect(pageElement({ first: 'a<b', last: 'z', firstIndex: 10, count: 800 }).toString()).toBe(
      '<set xmlns="http://jabber.org/protocol/rsm"><first index="10">a&lt;b</first><last>z</last><count>800</count></set>',
    )
  })

  test('empty, with the count', () => {
    expect(pageElement({ count: 0 }).toString()).toBe(
      '<set xmlns="http://jabber.org/protocol/rsm"><count>0</count></set>',
    )
  })
})
