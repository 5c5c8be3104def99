/** `lanthorn status` and `lanthorn doctor`: how the office is. */
import { recheckHealth } from '../admin/contract/health.ts'
import { getHome } from '../admin/contract/office.ts'
import { getSession } from '../admin/contract/session.ts'
import { counted, readableBytes } from '../admin/words.ts'
import { CallFault, type Client } from './client.ts'
import { marks } from './marks.ts'
import { nodeLines } from './nodes.ts'

/** A few lines about the office. @returns exit code 0 while chat works, else 1 @throws CallFault */
export async function status(call: Client, options: { json: boolean; print: (text: string) => void }): Promise<number> {
  const home = await whenSetUp(() => call(getHome))
  const { office, domain, pc, version } = await call(getSession)
  if (options.json) options.print(JSON.stringify({ office, domain, pc, version, ...home }))
  else {
    const { figures, state, headline, sentence } = home
    const slowest = figures.slowestMs === null ? '' : `, the slowest in ${figures.slowestMs} ms`
    options.print(
      [
        `${marks[state]} ${headline}. ${sentence}`,
        `  ${office} (${domain}) on ${pc}, version ${version}`,
        `  ${figures.peopleOnline} of ${counted(figures.people, 'person').replace(/persons$/, 'people')} online`,
        `  ${counted(figures.messagesToday, 'message')} today${slowest}`,
        `  ${readableBytes(figures.storedBytes)} stored, ${readableBytes(figures.diskFreeBytes)} free`,
        ...home.pcs.flatMap(nodeLines),
      ].join('\n'),
    )
  }
  return home.state === 'bad' ? 1 : 0
}

/** Every check. @returns exit code 0 when all are fine, else 1 @throws CallFault */
export async function doctor(call: Client, options: { json: boolean; print: (text: string) => void }): Promise<number> {
  const health = await whenSetUp(() => call(recheckHealth))
  if (options.json) options.print(JSON.stringify(health))
  else {
    for (const check of health.checks) {
      options.print(`${marks[check.state]} ${check.sentence}`)
      if (check.state !== 'ok') options.print(`    ${check.why}`)
      for (const line of check.lines ?? []) options.print(`    ${line}`)
    }
  }
  return health.state === 'ok' ? 0 : 1
}

/** No office yet is an answer of its own: the thing asked for is not fine, but the command was understood. */
async function whenSetUp<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof CallFault && error.problem?.code === 'not-set-up') {
      throw new CallFault(
        'The server runs, but there is no office yet: open its admin pages on this PC.',
        error.problem,
      )
    }
    throw error
  }
}
