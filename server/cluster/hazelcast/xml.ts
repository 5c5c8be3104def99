/** The same configuration in Hazelcast's other spelling, for an admin whose own file is XML. */
import { Element, parse } from 'ltx'
import type { MemberFile } from './overlay.ts'
import type { Configuration, ConfigurationValue } from './yaml.ts'

const namespace = 'http://www.hazelcast.com/schema/config'
/** Elements that are told apart by their attribute `name`, and how their parent is called in YAML. */
const named: Record<string, string> = { properties: 'property', 'member-attributes': 'attribute' }
/** Elements in which a list stands: an own one takes the place of ours as a whole. `join`: one way excludes the others. */
const replaced = new Set(['join', 'member-list', 'interfaces', 'tcp-ip'])

/** @throws Error when the text is not an XML document with the root `hazelcast` */
export function mergeXml(ours: Configuration, text: string): MemberFile {
  const theirs = parse(text)
  if (theirs.getName() !== 'hazelcast') throw new Error('its root is not <hazelcast>')
  const whole = toXml('hazelcast', ours)
  mergeInto(whole, theirs)
  whole.attrs.xmlns = namespace
  const rest = whole.getChild('network')?.getChild('rest-api')
  const health = elementsOf(rest).find(group => group.attrs.name === 'HEALTH_CHECK')
  return {
    kind: 'xml',
    text: `<?xml version="1.0" encoding="UTF-8"?>\n${whole.toString()}\n`,
    port: Number(whole.getChild('network')?.getChildText('port')),
    clusterName: whole.getChildText('cluster-name') ?? 'dev',
    hasRest: rest?.attrs.enabled === 'true' && health?.attrs.enabled === 'true',
  }
}

function mergeInto(ours: Element, theirs: Element): void {
  for (const [name, value] of Object.entries(theirs.attrs)) {
    if (!name.startsWith('xmlns') && !name.startsWith('xsi:')) ours.attrs[name] = value
  }
  for (const their of elementsOf(theirs)) {
    const name = their.getName()
    const our = elementsOf(ours).find(one => one.getName() === name && one.attrs.name === their.attrs.name)
    if (!our) ours.cnode(plain(their))
    else if (replaced.has(name)) replace(ours, our, name === 'join' ? withoutGuessing(their) : plain(their))
    else if (elementsOf(their).length > 0) mergeInto(our, their)
    else {
      Object.assign(our.attrs, their.attrs)
      our.children = [...their.children]
    }
  }
}

function replace(parent: Element, old: Element, next: Element): void {
  parent.children = parent.children.map(child => (child === old ? next : child))
}

/** A copy without namespace declarations, as ours has none inside. */
function plain(element: Element): Element {
  const attributes = Object.entries(element.attrs).filter(([name]) => !name.startsWith('xmlns'))
  const copy = new Element(element.getName(), Object.fromEntries(attributes))
  copy.children = element.children.map(child => (typeof child === 'string' ? child : plain(child)))
  return copy
}

/** Hazelcast's own default is to guess how members find each other. */
function withoutGuessing(join: Element): Element {
  const copy = plain(join)
  for (const name of ['multicast', 'auto-detection']) {
    if (!copy.getChild(name)) copy.children.unshift(new Element(name, { enabled: 'false' }))
  }
  return copy
}

function elementsOf(element: Element | undefined): Element[] {
  return (element?.children ?? []).filter(child => typeof child !== 'string')
}

/** YAML and XML say the same things, with these differences. */
function toXml(name: string, value: ConfigurationValue, parent = ''): Element {
  const element = new Element(name)
  if (typeof value !== 'object' || value === null) return element.t(String(value))
  for (const [key, inner] of Object.entries(value)) {
    const child = named[name]
    if (key === 'enabled') element.attrs[key] = String(inner)
    else if (child) element.cnode(new Element(child, { name: key }).t(String(textOf(inner))))
    else if (name === 'port') key === 'port' ? element.t(String(inner)) : addAttribute(element, key, inner)
    else if (name === 'merge-policy')
      key === 'class-name' ? element.t(String(inner)) : addAttribute(element, key, inner)
    else if (key === 'interfaces' && name === 'interfaces') addList(element, 'interface', inner)
    else if (name === 'tcp-ip' && typeof inner !== 'object') addAttribute(element, key, inner)
    else if (key === 'member-list') addList(element.c(key), 'member', inner)
    else if (key === 'endpoint-groups') addNamed(element, 'endpoint-group', inner)
    else if (key === 'map' && parent === '') addNamed(element, 'map', inner)
    else element.cnode(toXml(key, inner, name))
  }
  return element
}

function addAttribute(element: Element, name: string, value: ConfigurationValue): void {
  element.attrs[name] = String(value)
}

function addList(element: Element, name: string, values: ConfigurationValue): void {
  for (const value of Array.isArray(values) ? values : []) element.c(name).t(String(value))
}

function addNamed(element: Element, name: string, values: ConfigurationValue): void {
  for (const [key, value] of Object.entries(values ?? {})) {
    const child = toXml(name, value, key)
    child.attrs.name = key
    element.cnode(child)
  }
}

function textOf(value: ConfigurationValue): ConfigurationValue {
  return typeof value === 'object' && value !== null && 'value' in value ? (value.value ?? '') : value
}
