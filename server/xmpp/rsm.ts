/** XEP-0059: Result Set Management: which page of a long list is asked for, and what page it was. */
import { type Element, xml } from './element.ts'
import { stanzaError } from './errors.ts'
import { NS_RSM } from './namespaces.ts'

/** The page that is asked for. Items are known by ids that only the list itself understands. */
export interface PageRequest {
  /** At most so many items; 0 asks for the count only. */
  readonly max: number
  /** Only items after this one. */
  readonly after: string | undefined
  /** Only items before this one. */
  readonly before: string | undefined
  /** The last `max` of the items that fit, instead of the first (still in their order). */
  readonly isBackward: boolean
  /** The page that starts at this position, counted from 0. */
  readonly index: number | undefined
}

/** The page that is given. */
export interface PageResult {
  /** Id of the first and the last item; undefined for an empty page. */
  readonly first?: string | undefined
  readonly last?: string | undefined
  /** Position of the first item in the whole list, where it is known. */
  readonly firstIndex?: number | undefined
  /** Items in the whole list, where it is known. */
  readonly count?: number | undefined
}

/**
 * Reads the `<set/>` among the children of a request (XEP-0059 sections 2.1 to 2.7).
 * @param parent the element that may have a `<set/>`; without one the first page is meant
 * @param limits items of a page when none are asked for, and the most that are given however many are asked for
 * @throws StanzaError bad-request when a number is none
 */
export function readPageRequest(parent: Element | undefined, limits: { usual: number; most: number }): PageRequest {
  const set = parent?.getChild('set', NS_RSM)
  const before = textOf(set, 'before')
  return {
    max: Math.min(numberOf(set, 'max') ?? limits.usual, limits.most),
    after: textOf(set, 'after') || undefined,
    before: before || undefined,
    // An empty <before/> asks for the last page (section 2.5).
    isBackward: before !== undefined,
    index: numberOf(set, 'index'),
  }
}

/** The `<set/>` of a result (XEP-0059 sections 2.1 and 2.2). */
export function pageElement({ first, last, firstIndex, count }: PageResult): Element {
  return xml(
    'set',
    { xmlns: NS_RSM },
    first !== undefined && xml('first', { index: firstIndex }, first),
    last !== undefined && xml('last', {}, last),
    count !== undefined && xml('count', {}, String(count)),
  )
}

function textOf(set: Element | undefined, name: string): string | undefined {
  return set?.getChild(name, NS_RSM)?.getText()
}

function numberOf(set: Element | undefined, name: string): number | undefined {
  const text = textOf(set, name)?.trim()
  if (text === undefined || text === '') return undefined
  if (!/^\d{1,15}$/.test(text)) throw stanzaError('bad-request', `In <set/>, <${name}/> must be a number from 0 on.`)
  return Number(text)
}
