/** XEP-0115: Entity Capabilities: a short hash in presence stands for all that a client can do. */
import { hash as digestOf } from 'node:crypto'
import { type Element, xml } from './element.ts'
import { NS_CAPS, NS_DATA_FORMS, NS_DISCO_INFO } from './namespaces.ts'

/** What an entity is, in one language (XEP-0030 section 3.1). */
export interface Identity {
  readonly category: string
  readonly type: string
  readonly lang?: string | undefined
  readonly name?: string | undefined
}

/** What a disco#info result says (XEP-0030 section 3, XEP-0128). */
export interface DiscoInfo {
  readonly identities: readonly Identity[]
  readonly features: readonly string[]
  /** Forms with a hidden FORM_TYPE; the values of each field by its var. */
  readonly forms: readonly { readonly formType: string; readonly fields: ReadonlyMap<string, readonly string[]> }[]
}

/** Hash functions by their names in the `hash` attribute (XEP-0300) and in node:crypto. */
const ALGORITHMS: ReadonlyMap<string, string> = new Map([
  ['sha-1', 'sha1'],
  ['sha-256', 'sha256'],
  ['sha-512', 'sha512'],
])

// i;octet: by the bytes of UTF-8, which is not the order of JavaScript for characters beyond U+FFFF (RFC 4790 section 9.3).
function byOctets(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right))
}

function byIdentity(left: Identity, right: Identity): number {
  return (
    byOctets(left.category, right.category) ||
    byOctets(left.type, right.type) ||
    byOctets(left.lang ?? '', right.lang ?? '')
  )
}

/** The text that is hashed (XEP-0115 section 5.1, steps 1 to 7). */
export function verificationText({ identities, features, forms }: DiscoInfo): string {
  const parts = identities
    .toSorted(byIdentity)
    .map(({ category, type, lang = '', name = '' }) => `${category}/${type}/${lang}/${name}`)
  parts.push(...features.toSorted(byOctets))
  for (const { formType, fields } of forms.toSorted((left, right) => byOctets(left.formType, right.formType))) {
    parts.push(formType)
    for (const [name, values] of [...fields].toSorted(([left], [right]) => byOctets(left, right)))
      parts.push(name, ...values.toSorted(byOctets))
  }
  return parts.map(part => `${part}<`).join('')
}

/** The `ver` attribute for what an entity can do (XEP-0115 section 5.1); undefined for a hash function that we do not know. */
export function capsHash(info: DiscoInfo, hash = 'sha-1'): string | undefined {
  const algorithm = ALGORITHMS.get(hash)
  return algorithm === undefined ? undefined : digestOf(algorithm, verificationText(info), 'base64')
}

/** `<c/>` for presence. `node`: a URI that says what software this is. */
export function capsElement(node: string, info: DiscoInfo): Element {
  return xml('c', { xmlns: NS_CAPS, hash: 'sha-1', node, ver: capsHash(info) })
}

/**
 * Reads a disco#info result for its hash (XEP-0115 section 5.4, step 3).
 * @returns undefined when it is ill-formed and must not be remembered for others: identities, features or forms that stand twice, a FORM_TYPE of
 *   two values, or a “<”, with which one part could be made to look like two
 */
export function readDiscoInfo(query: Element): DiscoInfo | undefined {
  const identities = query.getChildren('identity', NS_DISCO_INFO).map(({ attrs }) => ({
    category: String(attrs.category ?? ''),
    type: String(attrs.type ?? ''),
    lang: attrs['xml:lang'] as string | undefined,
    name: attrs.name as string | undefined,
  }))
  const features = query.getChildren('feature', NS_DISCO_INFO).map(({ attrs }) => String(attrs.var ?? ''))
  const forms: DiscoInfo['forms'][number][] = []
  for (const x of query.getChildren('x', NS_DATA_FORMS)) {
    const form = readExtension(x)
    if (form === 'ill-formed') return undefined
    if (form !== undefined) forms.push(form)
  }
  const info = { identities, features, forms }
  const names = identities.map(({ category, type, lang = '', name = '' }) => `${category}/${type}/${lang}/${name}`)
  const isUnique = [names, features, forms.map(form => form.formType)].every(list => new Set(list).size === list.length)
  return isUnique && !hasSeparator(info) ? info : undefined
}

/** One form of a disco#info result; undefined for one without hidden FORM_TYPE, which is ignored. */
function readExtension(x: Element): DiscoInfo['forms'][number] | undefined | 'ill-formed' {
  const fields = new Map<string, readonly string[]>()
  let formType: string | undefined
  for (const field of x.getChildren('field', NS_DATA_FORMS)) {
    const name = String(field.attrs.var ?? '')
    const values = field.getChildren('value', NS_DATA_FORMS).map(value => value.getText())
    if (name !== 'FORM_TYPE') {
      if (fields.has(name)) return 'ill-formed'
      fields.set(name, values)
    } else if (field.attrs.type === 'hidden') {
      if (formType !== undefined || new Set(values).size > 1) return 'ill-formed'
      formType = values[0]
    }
  }
  return formType === undefined ? undefined : { formType, fields }
}

function hasSeparator({ identities, features, forms }: DiscoInfo): boolean {
  const texts = [
    ...identities.flatMap(({ category, type, lang = '', name = '' }) => [category, type, lang, name]),
    ...features,
    ...forms.flatMap(({ formType, fields }) => [
      formType,
      ...[...fields].flatMap(([name, values]) => [name, ...values]),
    ]),
  ]
  return texts.some(text => text.includes('<'))
}
