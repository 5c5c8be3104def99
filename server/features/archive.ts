/** XEP-0313: Message Archive Management. The rows are written by core/queue.ts; here they are read, and kept no longer than wished. */
import { Type } from 'typebox'
import {
  type ArchivedMessage,
  type ArchiveFilter,
  countArchive,
  deleteDone,
  deleteOlder,
  forgetPerson,
  hasAll,
  readArchive,
} from '../core/archive-query.ts'
import { STREAM_REMEMBERED_MS } from '../core/archive-table.ts'
import { feature } from '../core/feature.ts'
import type { IqRequest } from '../core/iq.ts'
import type { Session } from '../core/session.ts'
import { type Element, xml } from '../xmpp/element.ts'
import { stanzaError } from '../xmpp/errors.ts'
import { type Field, formElement, readForm } from '../xmpp/form.ts'
import { forwardedXml, forwardingMessage } from '../xmpp/forward.ts'
import { isId, timeOf } from '../xmpp/id.ts'
import { type Jid, parseJid } from '../xmpp/jid.ts'
import { NS_DATA_FORMS, NS_MAM } from '../xmpp/namespaces.ts'
import { type PageRequest, pageElement, readPageRequest } from '../xmpp/rsm.ts'
import { parseDateTime, printDateTime } from '../xmpp/time.ts'

const NS_VALIDATE = 'http://jabber.org/protocol/xdata-validate'
const PAGE = { usual: 50, most: 250 }
/** Most messages that one query may name by id. */
const IDS_MAX = 250
/** How long a query waits for messages that are still being written. */
const FLUSH_MS = 2_000
/** How long a search waits for what other nodes are about to write. */
const FAR_FLUSH_MS = 1_000

const DAY_MS = 86_400_000
const CLEAN_EVERY_MS = 600_000
/** Deleting goes in steps, so that nobody waits for it. */
const CLEAN_ROWS = 2_000
const CLEAN_STEPS_MAX = 50

/** XEP-0313 §4.1.5. */
const fields: readonly Field[] = [
  { var: 'with', type: 'jid-single' },
  { var: 'start', type: 'text-single' },
  { var: 'end', type: 'text-single' },
  { var: 'before-id', type: 'text-single' },
  { var: 'after-id', type: 'text-single' },
  { var: 'ids', type: 'list-multi' },
  { var: 'include-groupchat', type: 'boolean' },
]

export default feature({
  name: 'archive',
  title: 'Message history',
  standards: [
    { id: 'XEP-0313', title: 'Message Archive Management', version: '1.1.3' },
    { id: 'XEP-0059', title: 'Result Set Management', version: '1.0' },
    { id: 'XEP-0297', title: 'Stanza Forwarding', version: '1.0' },
  ],
  page: 'Messages',
  settings: Type.Object({
    daysKept: Type.Integer({
      default: 0,
      minimum: 0,
      maximum: 36_500,
      title: 'Days that messages are kept',
      description: 'Older messages are deleted for good. 0 keeps them for ever.',
    }),
  }),
  migrations: [
    // Almost always empty: lets the cleaning find what nobody needs without walking the table.
    'CREATE INDEX archive_done ON archive (id) WHERE NOT (pending OR in_sender OR in_receiver)',
  ],
  start(server) {
    const mustHave = async (own: Jid, ids: readonly string[]): Promise<void> => {
      if (ids.length === 0) return
      // XEP-0313 §4.1.3 and §4.3.2: an id that is not in the archive is an error.
      if (!ids.every(isId) || !(await hasAll(server.db, own, ids))) {
        throw stanzaError('item-not-found', 'A message with this id is not in your archive.')
      }
    }

    const answer = (session: Session, queryId: string | undefined, messages: readonly ArchivedMessage[]): void => {
      const header = { from: session.jid.bare, to: session.jid.full }
      for (const { id, stanza } of messages) {
        const wrapper = { name: 'result', ns: NS_MAM, attributes: { queryid: queryId, id } }
        // Past all queues of the session: results stand before the answer, whatever messages wait their turn.
        session.write(forwardingMessage(header, wrapper, forwardedXml(stanza, timeOf(id))))
      }
    }

    /** What was said before is in the database, from whatever node. @returns false when that is not sure */
    const flushed = async (): Promise<boolean> => {
      const far = server.everywhere.askAll('archive-flush', {}, FAR_FLUSH_MS)
      const [isHere, others] = await Promise.all([server.queue.flushed(FLUSH_MS), far])
      return isHere && others.every(answer => answer === true)
    }
    const unanswer = server.bus.onAsk('archive-flush', () => server.queue.flushed(FAR_FLUSH_MS))

    const query = async (request: IqRequest): Promise<Element> => {
      const { session, own } = ownerOf(request)
      const { payload } = request
      const filter = readFilter(payload)
      const page = readPage(payload)
      const isStable = await flushed()
      await mustHave(
        own,
        [filter.afterId, filter.beforeId, page.after, page.before, ...(filter.ids ?? [])].filter(isText),
      )
      const fin = { xmlns: NS_MAM, stable: isStable ? undefined : 'false' }
      if (page.max === 0) return xml('fin', fin, pageElement({ count: await countArchive(server.db, own, filter) }))
      const { messages, isComplete } = await readArchive(server.db, own, filter, page)
      const [first, last] = [messages[0]?.id, messages.at(-1)?.id]
      // XEP-0313 §4.3.4: flipping changes the order of sending, nothing else.
      const isFlipped = payload.getChild('flip-page', NS_MAM) !== undefined
      answer(session, textAttribute(payload, 'queryid'), isFlipped ? messages.toReversed() : messages)
      return xml('fin', { ...fin, complete: isComplete ? 'true' : undefined }, pageElement({ first, last }))
    }

    const edge = async (own: Jid, name: 'start' | 'end'): Promise<Element | undefined> => {
      const page = { max: 1, after: undefined, before: undefined, isBackward: name === 'end' }
      const [message] = (await readArchive(server.db, own, {}, page)).messages
      return message && xml(name, { id: message.id, timestamp: printDateTime(timeOf(message.id) ?? 0) })
    }

    server.advertise('account', { features: [NS_MAM, `${NS_MAM}#extended`, `${NS_MAM}#groupchat-field`] })
    server.iq('account', 'set', NS_MAM, 'query', query)
    server.iq('account', 'get', NS_MAM, 'query', request => {
      ownerOf(request)
      return xml('query', { xmlns: NS_MAM }, queryForm())
    })
    server.iq('account', 'get', NS_MAM, 'metadata', async request => {
      const { own } = ownerOf(request)
      await flushed()
      return xml('metadata', { xmlns: NS_MAM }, await edge(own, 'start'), await edge(own, 'end'))
    })
    server.on('account:removed', 'store', async ({ username }) => {
      await flushed()
      await forgetPerson(server.db, username)
    })
    server.every(CLEAN_EVERY_MS, async () => {
      const { daysKept } = server.settings
      const now = server.now()
      await repeat(() => deleteDone(server.db, now - STREAM_REMEMBERED_MS, CLEAN_ROWS))
      if (daysKept > 0) await repeat(() => deleteOlder(server.db, now - daysKept * DAY_MS, CLEAN_ROWS))
    })
    return unanswer
  },
})

/** XEP-0313 §8.1: an archive is for its owner. */
function ownerOf({ session, isOwn }: IqRequest): { session: Session; own: Jid } {
  if (!session || !isOwn) throw stanzaError('forbidden', 'A message archive is for its owner only.')
  return { session, own: session.jid.toBare() }
}

/** XEP-0313 §4.1. @throws StanzaError feature-not-implemented for a field that we do not know */
export function readFilter(payload: Element): ArchiveFilter {
  const x = payload.getChild('x', NS_DATA_FORMS)
  if (!x) return {}
  const { type, formType, values } = readForm(x)
  if (type !== 'submit' || formType !== NS_MAM) {
    throw stanzaError('bad-request', `A form of type submit is expected, with the FORM_TYPE ${NS_MAM}.`)
  }
  for (const name of values.keys()) {
    if (!fields.some(field => field.var === name)) {
      throw stanzaError('feature-not-implemented', `There is no field called ${name}.`)
    }
  }
  const text = (name: string): string | undefined => values.get(name)?.[0] || undefined
  const moment = (name: string): number | undefined => {
    const written = text(name)
    const ms = written === undefined ? undefined : parseDateTime(written)
    if (written !== undefined && ms === undefined) {
      throw stanzaError('bad-request', `${name} must be a time such as 2010-06-07T00:00:00Z.`)
    }
    return ms
  }
  const partner = text('with')
  const ids = values.get('ids')
  if (ids && ids.length > IDS_MAX) throw stanzaError('policy-violation', `Ask for ${IDS_MAX} messages at most.`)
  return {
    with: partner === undefined ? undefined : parseJid(partner),
    startMs: moment('start'),
    endMs: moment('end'),
    afterId: text('after-id'),
    beforeId: text('before-id'),
    ids,
  }
}

function readPage(payload: Element): PageRequest {
  const page = readPageRequest(payload, PAGE)
  if (page.index !== undefined) {
    throw stanzaError('feature-not-implemented', 'Pages are asked for by the id before or after them.')
  }
  return page
}

function queryForm(): Element {
  const form = formElement({ type: 'form', formType: NS_MAM, fields })
  // XEP-0313 §4.1.5: the list of ids is open.
  const ids = form.getChildren('field').find(field => field.attrs.var === 'ids')
  ids?.cnode(xml('validate', { xmlns: NS_VALIDATE, datatype: 'xs:string' }, xml('open')))
  return form
}

/** Runs a step of deleting until it finds less than a full step, or has had its share. */
async function repeat(step: () => Promise<number>): Promise<void> {
  for (let steps = 0; steps < CLEAN_STEPS_MAX; steps++) if ((await step()) < CLEAN_ROWS) return
}

const isText = (value: string | undefined): value is string => value !== undefined

function textAttribute(element: Element, name: string): string | undefined {
  const value: unknown = element.attrs[name]
  return typeof value === 'string' ? value : undefined
}
