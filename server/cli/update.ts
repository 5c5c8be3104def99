/** `lanthorn update …`. */
import { checkUpdates, getUpdates, installUpdates, stopUpdates, type Updates } from '../admin/contract/updates.ts'
import type { Client } from './client.ts'
import { follow } from './follow.ts'
import { marks } from './marks.ts'
import type { UpdateCommand } from './parse.ts'

interface Terminal {
  print(text: string): void
}

/**
 * Shows where updates stand, looks for them, installs them.
 * @param server finds the server: after an update of this PC it is another one
 * @returns exit code 0 when nothing is left to do, else 1
 * @throws CallFault
 */
export async function update(
  server: () => Promise<Client>,
  command: UpdateCommand,
  { print }: Terminal,
): Promise<number> {
  const { action, json } = command
  const now = await (action === 'install'
    ? install(server, json ? () => undefined : print)
    : (await server())(ways[action]))
  if (json) print(JSON.stringify(now))
  else print(linesOf(now).join('\n'))
  return now.state === 'off' || now.state === 'current' ? 0 : 1
}

const ways = { show: getUpdates, check: checkUpdates, stop: stopUpdates }

async function install(server: () => Promise<Client>, print: Terminal['print']): Promise<Updates> {
  await (await server())(installUpdates)
  return follow(async () => (await server())(getUpdates), {
    isOver: ({ canStop }) => !canStop,
    sentenceOf: ({ step, sentence }) => `  ${step ?? sentence}`,
    print,
  })
}

const pcMarks = { current: marks.ok, waiting: '…', installing: '…', 'by-hand': marks.warn, unknown: marks.warn }

function linesOf({ wellness, sentence, newest, trouble, step, pcs }: Updates): string[] {
  return [
    `${marks[wellness]} ${sentence}`,
    ...(trouble === undefined ? [] : [`    ${trouble}`]),
    ...(step === undefined ? [] : [`    ${step}`]),
    ...(newest?.notes ? newest.notes.split('\n').map(line => `    ${line}`.trimEnd()) : []),
    ...pcs.map(pc => `${pcMarks[pc.state]} ${pc.name}: ${pc.sentence}`),
  ]
}
