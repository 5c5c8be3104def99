/** The program's commands besides `run`. */
import { backup } from './backup.ts'
import { CallFault, type Client, connect } from './client.ts'
import { databaseStatus, testDatabase, trust } from './database.ts'
import { helpText } from './help.ts'
import { move } from './move.ts'
import { drain, joinCode, nodes } from './nodes.ts'
import type { Command } from './parse.ts'
import type { DatabaseCommand } from './parse-database.ts'
import { PipeFault, readPiped } from './piped.ts'
import { restoreBackup } from './restore.ts'
import { doctor, status } from './status.ts'
import { update } from './update.ts'
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

type WorkCommand = Exclude<Command, { name: 'run' | 'version' | 'help' }>

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
    return await carryOut(command, {
      ...{ folder: command.data ?? here.dataFolder, version: here.version, print, complain },
    })
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

async function carryOut(
  command: WorkCommand,
  {
    folder,
    version,
    print,
    complain,
  }: { folder: string; version: string; print: (text: string) => void; complain: (text: string) => void },
): Promise<number> {
  const server = (): Promise<Client> => connect(folder)
  const output = { json: command.json, print }
  switch (command.name) {
    case 'status':
      return status(await server(), output)
    case 'doctor':
      return doctor(await server(), output)
    case 'user':
      return user(await server(), command, { print, readPassword: () => readPiped() })
    case 'db':
      return database(command, folder, output)
    case 'backup':
      return backup(await server(), command, output)
    case 'restore':
      return restoreBackup(command, { folder, print, complain })
    case 'nodes':
      return nodes(await server(), command, output)
    case 'join-code':
      return joinCode(await server(), output)
    case 'join':
      // Needs much of the server, the others next to nothing.
      return (await import('./join.ts')).join(command, { folder, version, print })
    case 'drain':
      return drain(await server(), command, output)
    case 'update':
      return update(server, command, output)
    default:
      return command satisfies never
  }
}

async function database(
  command: DatabaseCommand,
  folder: string,
  output: { json: boolean; print: (text: string) => void },
): Promise<number> {
  switch (command.action) {
    case 'test':
      return testDatabase(command.url, output)
    case 'trust':
      return trust(folder, output)
    case 'status':
      return databaseStatus(await connect(folder), output)
    case 'move':
    case 'steer-move':
      return move(await connect(folder), command, { ...output, terminal: process.stdout })
    default:
      return command satisfies never
  }
}
