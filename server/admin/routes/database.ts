import { parseDatabaseUrl } from '../../db/url.ts'
import { snippetsFor } from '../../snippets/snippets.ts'
import type { RouteParts } from '../admin.ts'
import {
  type DatabaseMove,
  getDatabase,
  listSnippets,
  moveDatabase,
  removeOldDatabase,
  steerMove,
  testDatabase,
} from '../contract/database.ts'
import { databaseStatusOf } from '../database-status.ts'
import { refusal } from '../problem.ts'
import { type Call, callerOf, type Desk } from '../serve.ts'

const steered = { cancel: 'Cancelled', resume: 'Resumed', forget: 'Forgot' } as const

export function databaseRoutes(desk: Desk, { parts, office }: RouteParts): void {
  /** To the history, with places only: a URL has a password in it. */
  const note = async (call: Pick<Call<unknown>, 'request'>, sentence: string): Promise<void> => {
    const { name, address } = callerOf(call)
    await office().history.add({ by: name, kind: 'office', sentence, address })
  }
  const way = ({ from, to }: DatabaseMove): string => `from ${from} to ${to}`

  desk.serve(getDatabase, () => databaseStatusOf(office().parts))

  desk.serve(testDatabase, ({ body }) => parts.setup.checkDatabase(body.url))

  desk.serve(moveDatabase, async call => {
    const move = await office().parts.database.startMove(call.body.url)
    await note(call, `Began to move the data ${way(move)}.`)
    return move
  })

  desk.serve(steerMove, async call => {
    const { database } = office().parts
    const { action } = call.params
    const before = database.move
    const move = await database.steerMove(action)
    const which = move ?? before
    await note(call, `${steered[action]} the move of the data${which ? ` ${way(which)}` : ''}.`)
    return move ? { move } : {}
  })

  desk.serve(removeOldDatabase, async call => {
    const { database } = office().parts
    const old = (await database.old()).find(one => one.id === call.params.id)
    if (!old) throw refusal('not-found', 'This old database is not kept any more.')
    await database.removeOld(old.id)
    await note(call, `Removed the old database at ${old.place} for good.`)
    return {}
  })

  desk.serve(listSnippets, () => {
    const target = parseDatabaseUrl(office().parts.database.url())
    return { snippets: snippetsFor(target.kind === 'server' ? target.address : undefined) }
  })
}
