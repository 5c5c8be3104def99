/** `lanthorn db move …`: begins a move of all data, shows how it goes, cancels, resumes or forgets it. */
import { type DatabaseMove, getDatabase, moveDatabase, steerMove } from '../admin/contract/database.ts'
import type { Client } from './client.ts'
import { follow } from './follow.ts'
import { marks } from './marks.ts'
import type { DatabaseCommand } from './parse-database.ts'
import { readUrl } from './piped.ts'
import { type ProgressLine, progressLine, type Terminal } from './progress-line.ts'

type MoveCommand = Extract<DatabaseCommand, { action: 'move' | 'steer-move' }>

/**
 * Does what was asked and, unless told otherwise, waits for its end.
 * @returns exit code 0 when the data is moved (or the move was begun, cancelled or forgotten as asked), 1 when it stopped
 * @throws CallFault with the sentence of the server; PipeFault
 */
export async function move(
  call: Client,
  command: MoveCommand,
  options: { print: (text: string) => void; terminal?: Terminal },
): Promise<number> {
  const { json } = command
  const { print, terminal } = options
  const begun = await begin(call, command)
  const isWaited = !command.isDetached && (command.action === 'move' || command.steer === 'resume')
  const last =
    isWaited && begun
      ? await wait(call, begun, progressLine(json ? undefined : terminal, json ? () => undefined : print))
      : begun
  if (json) print(JSON.stringify({ move: last ?? null }))
  else print(last ? lastLine(last) : 'The move is forgotten; nothing of it is left.')
  return isWaited && last?.state === 'stopped' ? 1 : 0
}

async function begin(call: Client, command: MoveCommand): Promise<DatabaseMove | undefined> {
  if (command.action === 'move') return call(moveDatabase, { body: { url: await readUrl(command.url) } })
  return (await call(steerMove, { params: { action: command.steer } })).move
}

async function wait(call: Client, begun: DatabaseMove, line: ProgressLine): Promise<DatabaseMove> {
  try {
    return await follow(
      async () => {
        const now = (await call(getDatabase)).move ?? begun
        if (!isOver(now)) line.show(inFull(now), inShort(now))
        return now
      },
      { isOver, sentenceOf: () => '', print: () => undefined },
    )
  } finally {
    line.end()
  }
}

const isOver = ({ state }: DatabaseMove): boolean => state === 'switched' || state === 'stopped'

function inFull({ percent, sentence, secondsLeft }: DatabaseMove): string {
  return `${percentWords(percent)}  ${sentence}${secondsLeft === undefined ? '' : ` ${timeLeft(secondsLeft)}`}`
}

/** Every tenth percent while rows are copied, then each state. */
function inShort({ state, percent, sentence }: DatabaseMove): string {
  return state === 'copying'
    ? `${percentWords(percent - (percent % 10))}  Copying the data.`
    : `${percentWords(percent)}  ${sentence}`
}

const percentWords = (percent: number): string => `  ${String(Math.floor(percent)).padStart(3)} %`

function lastLine({ state, sentence, problem }: DatabaseMove): string {
  const mark = state === 'switched' ? marks.ok : state === 'stopped' ? marks.bad : '…'
  return `${mark} ${sentence}${problem === undefined ? '' : ` ${problem}`}`
}

function timeLeft(seconds: number): string {
  if (seconds < 90) return `About ${Math.max(1, Math.round(seconds))} s left.`
  return `About ${Math.round(seconds / 60)} minutes left.`
}
