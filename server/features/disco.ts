/** XEP-0030: Service Discovery; XEP-0115 §6.3: the server's own capabilities as a stream feature; XEP-0128: forms in the answer. */
import { feature } from '../core/feature.ts'
import type { DiscoEvent, DiscoInfoEvent, DiscoItemsEvent } from '../core/hooks.ts'
import type { IqRequest } from '../core/iq.ts'
import { hasFrom } from '../core/subscription-states.ts'
import { capsElement, capsHash, readDiscoInfo } from '../xmpp/caps.ts'
import { type Element, xml } from '../xmpp/element.ts'
import { stanzaError } from '../xmpp/errors.ts'
import { NS_CAPS, NS_DISCO_INFO, NS_DISCO_ITEMS } from '../xmpp/namespaces.ts'

/** XEP-0115 §4: says what software this is. */
const CAPS_NODE = 'urn:lanthorn'
/** How long the own capabilities are believed before they are worked out again. */
const CAPS_MS = 1_000

export default feature({
  name: 'disco',
  title: 'What this server can do',
  standards: [
    { id: 'XEP-0030', title: 'Service Discovery', version: '2.5.0' },
    {
      id: 'XEP-0115',
      title: 'Entity Capabilities',
      version: '1.6.0',
      note: 'capabilities of clients are passed on unread',
    },
    { id: 'XEP-0128', title: 'Service Discovery Extensions', version: '1.0.1' },
  ],
  start(server) {
    /** XEP-0030 §8: only who may see the presence of an account learns that there is one. */
    const mayKnow = async ({ account, isOwn, from }: IqRequest): Promise<boolean> => {
      if (isOwn || account === undefined) return true
      if (!(await server.accounts.get(account))) return false
      const item = (await server.rosters.get(account)).items.get(from.bare)
      return item !== undefined && hasFrom(item.subscription)
    }

    /** The question without a node is answered by what is advertised, one with a node by whoever knows it. */
    const newInfo = (asked: Omit<DiscoEvent, 'isKnown'>): DiscoInfoEvent => {
      const isWhole = asked.node === undefined
      const { features = [], identities = [] } = isWhole ? server.advertised(asked.target) : {}
      return { ...asked, isKnown: isWhole, features: [...features], identities: [...identities], forms: [] }
    }

    const ownCaps = (): { element: Element; ver: string } | undefined => {
      const event = newInfo({ target: 'host', account: undefined, from: undefined, node: undefined })
      // Nobody has to wait for anything to say what the server can do; who does is left out.
      if (server.run('disco:info', event) instanceof Promise) return undefined
      const info = readDiscoInfo(infoElement(event))
      const ver = info && capsHash(info)
      return info && ver !== undefined ? { element: capsElement(CAPS_NODE, info), ver } : undefined
    }
    let known: { readonly caps: ReturnType<typeof ownCaps>; readonly at: number } | undefined
    const caps = () => {
      if (!known || server.now() - known.at > CAPS_MS) known = { caps: ownCaps(), at: server.now() }
      return known.caps
    }

    server.streamFeature({ toString: () => caps()?.element.toString() ?? '' })
    server.advertise('both', { features: [NS_DISCO_INFO, NS_DISCO_ITEMS] })
    server.advertise('host', {
      features: [NS_CAPS],
      identities: [{ category: 'server', type: 'im', name: 'Lanthorn' }],
    })
    server.advertise('account', { identities: [{ category: 'account', type: 'registered' }] })

    server.iq('both', 'get', NS_DISCO_INFO, 'query', async request => {
      if (!(await mayKnow(request))) throw stanzaError('service-unavailable')
      const asked = askedOf(request)
      // XEP-0115 §6.2: the node of the capabilities stands for the server itself.
      const isCaps = asked.target === 'host' && asked.node === `${CAPS_NODE}#${caps()?.ver}`
      const event = newInfo(isCaps ? { ...asked, node: undefined } : asked)
      await server.run('disco:info', event)
      if (!event.isKnown) throw stanzaError('item-not-found')
      return infoElement({ ...event, node: asked.node })
    })
    server.iq('both', 'get', NS_DISCO_ITEMS, 'query', async request => {
      const asked = askedOf(request)
      const event: DiscoItemsEvent = { ...asked, isKnown: asked.node === undefined, items: [] }
      const isAllowed = await mayKnow(request)
      // XEP-0030 §8: whoever may not know gets an empty answer, as if nobody was there.
      if (!isAllowed) return itemsElement(event)
      if (asked.account !== undefined && asked.node === undefined) {
        for (const { jid, priority } of server.directory.routes(`${asked.account}@${server.domain}`)) {
          if (priority !== undefined) event.items.push({ jid })
        }
      }
      await server.run('disco:items', event)
      if (!event.isKnown) throw stanzaError('item-not-found')
      return itemsElement(event)
    })
  },
})

function askedOf({ account, from, payload }: IqRequest): Omit<DiscoEvent, 'isKnown'> {
  const { node } = payload.attrs
  return {
    target: account === undefined ? 'host' : 'account',
    account,
    from,
    node: typeof node === 'string' ? node : undefined,
  }
}

function infoElement({ node, identities, features, forms }: DiscoInfoEvent): Element {
  return xml(
    'query',
    { xmlns: NS_DISCO_INFO, node },
    ...identities.map(({ category, type, lang, name }) => xml('identity', { category, type, 'xml:lang': lang, name })),
    ...[...new Set(features)].map(name => xml('feature', { var: name })),
    ...forms,
  )
}

function itemsElement({ node, items }: DiscoItemsEvent): Element {
  const children = items.map(item => xml('item', { jid: item.jid, node: item.node, name: item.name }))
  return xml('query', { xmlns: NS_DISCO_ITEMS, node }, ...children)
}
