/** XEP-0004: Data Forms. Forms are written from field descriptions; what comes back is checked against the same descriptions. */
import { type Element, xml } from './element.ts'
import { type StanzaError, stanzaError } from './errors.ts'
import { tryJid } from './jid.ts'
import { NS_DATA_FORMS } from './namespaces.ts'

/** XEP-0004 section 3.3. */
export type FieldType =
  | 'boolean'
  | 'fixed'
  | 'hidden'
  | 'jid-multi'
  | 'jid-single'
  | 'list-multi'
  | 'list-single'
  | 'text-multi'
  | 'text-private'
  | 'text-single'

/** A value as the server uses it: boolean for boolean, an array for -multi types, else text. JIDs are in their enforced form. */
export type FieldValue = string | boolean | readonly string[]

/** One field of a form. */
export interface Field {
  readonly var: string
  readonly type: FieldType
  readonly label?: string
  readonly desc?: string
  readonly isRequired?: boolean
  /** For list-single and list-multi: what can be chosen. */
  readonly options?: readonly { readonly value: string; readonly label?: string }[]
  /** The value shown in the form. */
  readonly value?: FieldValue | undefined
}

/** A form as it was received: FORM_TYPE (XEP-0068) apart, the values of each field as text. */
export interface ReceivedForm {
  readonly type: 'form' | 'submit' | 'cancel' | 'result'
  readonly formType: string | undefined
  readonly values: ReadonlyMap<string, readonly string[]>
}

/** Writes a form to be filled in, or a result of single fields (XEP-0004 section 3.1, XEP-0068). */
export function formElement(form: {
  type: 'form' | 'result' | 'submit'
  formType?: string
  title?: string
  instructions?: string
  fields: readonly Field[]
}): Element {
  return xml(
    'x',
    { xmlns: NS_DATA_FORMS, type: form.type },
    form.title !== undefined && xml('title', {}, form.title),
    form.instructions !== undefined && xml('instructions', {}, form.instructions),
    form.formType !== undefined && formTypeElement(form.formType),
    ...form.fields.map(field => fieldElement(field, form.type === 'form')),
  )
}

/** Writes a result of many items under one heading, such as those of a search (XEP-0004 section 3.4). Items name their values by `var`. */
export function tableElement(table: {
  columns: readonly Field[]
  items: readonly Readonly<Record<string, FieldValue | undefined>>[]
}): Element {
  const columns = table.columns.map(({ var: name, type, label }) => xml('field', { var: name, type, label }))
  const items = table.items.map(item =>
    xml(
      'item',
      {},
      ...table.columns.map(column => xml('field', { var: column.var }, ...valueElements(item[column.var]))),
    ),
  )
  return xml('x', { xmlns: NS_DATA_FORMS, type: 'result' }, xml('reported', {}, ...columns), ...items)
}

function formTypeElement(formType: string): Element {
  return xml('field', { var: 'FORM_TYPE', type: 'hidden' }, xml('value', {}, formType))
}

function fieldElement(field: Field, isToBeFilledIn: boolean): Element {
  const { var: name, type, label, desc, isRequired = false, options = [], value } = field
  return xml(
    'field',
    { var: name, type, label },
    desc !== undefined && xml('desc', {}, desc),
    isRequired && isToBeFilledIn && xml('required'),
    ...valueElements(value),
    ...(isToBeFilledIn
      ? options.map(option => xml('option', { label: option.label }, xml('value', {}, option.value)))
      : []),
  )
}

function valueElements(value: FieldValue | undefined): Element[] {
  if (value === undefined) return []
  if (typeof value === 'boolean') return [xml('value', {}, value ? '1' : '0')]
  return (typeof value === 'string' ? [value] : value).map(text => xml('value', {}, text))
}

/**
 * Reads a form.
 * @param x the `<x xmlns='jabber:x:data'/>`, or undefined when there was none
 * @throws StanzaError bad-request when there is none, its type is unknown, or a field has no name or stands twice
 */
export function readForm(x: Element | undefined): ReceivedForm {
  const type = x?.attrs.type
  if (x === undefined || !x.is('x', NS_DATA_FORMS) || !isFormType(type))
    throw stanzaError('bad-request', 'A data form (jabber:x:data) with a type is missing.')
  const values = new Map<string, readonly string[]>()
  for (const field of x.getChildren('field', NS_DATA_FORMS)) {
    const name: string | undefined = field.attrs.var
    if (field.attrs.type === 'fixed') continue
    if (name === undefined || values.has(name))
      throw stanzaError('bad-request', 'Each field of a form has a var of its own.')
    values.set(
      name,
      field.getChildren('value', NS_DATA_FORMS).map(value => value.getText()),
    )
  }
  const formType = values.get('FORM_TYPE')?.[0]
  values.delete('FORM_TYPE')
  return { type, formType, values }
}

function isFormType(type: unknown): type is ReceivedForm['type'] {
  return type === 'form' || type === 'submit' || type === 'cancel' || type === 'result'
}

/**
 * Checks a submitted form against the fields it was asked for: unknown fields are ignored, omitted ones are absent from the answer
 * and keep what they were (XEP-0004 sections 3.1, 3.5 and 4).
 * @param formType the FORM_TYPE that it must have, if it has one
 * @returns the values by `var`
 * @throws StanzaError bad-request when it is not a submission of this form, not-acceptable with a sentence when a value does not fit
 */
export function checkForm(form: ReceivedForm, fields: readonly Field[], formType?: string): Map<string, FieldValue> {
  if (form.type !== 'submit') throw stanzaError('bad-request', 'A form of type submit is expected.')
  if (formType !== undefined && form.formType !== undefined && form.formType !== formType)
    throw stanzaError('bad-request', `The FORM_TYPE of this form is ${formType}.`)
  const accepted = new Map<string, FieldValue>()
  for (const field of fields) {
    const texts = form.values.get(field.var)
    const isEmpty = texts === undefined || texts.every(text => text === '')
    if (field.isRequired && isEmpty) throw unacceptable(field, 'a value is required')
    if (texts === undefined || field.type === 'fixed') continue
    const value = acceptedValue(field, texts)
    if (value !== undefined) accepted.set(field.var, value)
  }
  return accepted
}

/** The value of one field; undefined when an empty one says nothing. */
function acceptedValue(field: Field, texts: readonly string[]): FieldValue | undefined {
  const [first = '', ...others] = texts
  const { type } = field
  switch (type) {
    case 'text-multi':
    case 'hidden':
      return type === 'hidden' && others.length === 0 ? first : texts
    case 'list-multi':
      return texts.filter(text => text !== '').map(text => optionOf(field, text))
    case 'jid-multi':
      return [...new Set(texts.filter(text => text !== '').map(text => jidOf(field, text)))]
    case 'boolean':
    case 'jid-single':
    case 'list-single':
    case 'text-private':
    case 'text-single':
    case 'fixed':
      if (others.length > 0) throw unacceptable(field, 'only one value is possible')
      break
    default:
      return type satisfies never
  }
  if (type === 'boolean') return first === '' ? undefined : booleanOf(field, first)
  if (first === '') return first
  if (type === 'jid-single') return jidOf(field, first)
  return type === 'list-single' ? optionOf(field, first) : first
}

function booleanOf(field: Field, text: string): boolean {
  if (text === '1' || text === 'true') return true
  if (text === '0' || text === 'false') return false
  throw unacceptable(field, `“${text}” is neither 1 nor 0`)
}

function optionOf(field: Field, text: string): string {
  if (field.options?.some(option => option.value === text)) return text
  throw unacceptable(field, `“${text}” is none of the options`)
}

function jidOf(field: Field, text: string): string {
  const jid = tryJid(text)
  if (jid === undefined) throw unacceptable(field, `“${text}” is not an address such as name@example.com`)
  return jid.full
}

function unacceptable(field: Field, why: string): StanzaError {
  return stanzaError('not-acceptable', `${field.label ?? field.var}: ${why}.`)
}
