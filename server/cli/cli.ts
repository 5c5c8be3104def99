/** The program's commands besides `run`. */
import { CallFault, connect } from './client.ts'
import { helpText } from './help.ts'
import type { Command } from './parse.ts'
import { PipeFault, readPiped } from './piped.ts'
import { doctor, status } from './status.ts'
import { user } from './user.ts'

/** Where a command writes, and what it cannot know by itself. */
export interface CommandSurroundings {
  /** Of this program. */
  readonly version: string
  /** Used without --data. */
  readonly dataFolder: string
  /** One line for standard output. */
  print(text: string): void
  /** One line for standard error. */
  complain(text: string): void
}

/**
 * Carries a command out.
 * @returns the exit code: 0 fine, 1 the thing asked for is not fine, 2 not running
 */
export async function runCommand(
  command: Exclude<Command, { name: 'run' }>,
  here: CommandSurroundings,
): Promise<number> {
  const { print, complain } = here
  if (command.name === 'version' || command.name === 'help') {
    print(command.name === 'version' ? here.version : helpText(command.topic).trimEnd())
    return 0
  }
  try {
    const call = await connect(command.data ?? here.dataFolder)
    switch (command.name) {
      case 'status':
        return await status(call, { json: command.json, print })
      case 'doctor':
        return await doctor(call, { json: command.json, print })
      case 'user':
        return await user(call, command, { print, readPassword: () => readPiped() })
      default:
        return command satisfies never
    }
  } catch (error) {
    if (error instanceof PipeFault) {
      complain(error.message)
      return 2
    }
    if (!(error instanceof CallFault)) throw error
    if (command.json && error.problem) print(JSON.stringify({ error: error.problem }))
    complain(error.message)
    return error.problem ? 1 : 2
  }
}
