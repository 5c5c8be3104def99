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
import { stop } from './stop.ts'
import { update } from './update.ts'
import { user } from './user.ts'

/** Where a command writes, and what it cannot know by itself. */
export interface CommandSurroundings {
  /** Of this program. */
  readonly version: string
  /** Used without --data. */
  readonly dataFolder: string
  /** Where a server of the system is found, without --data. */
  readonly runFolder: string
  /** One line for standard output. */
  print(text: string): void
  /** One line for standard error. */
  complain(text: string): void
}

/** What of it a command that does something needs. */
interface Surroundings extends Omit<CommandSurroundings, 'dataFolder' | 'runFolder'> {
  readonly folder: string
  /** undefined when the command named its data folder. */
  readonly runFolder?: string | undefined
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
    const { data } = command
    const place = data === undefined ? { folder: here.dataFolder, runFolder: here.runFolder } : { folder: data }
    return await carryOut(command, { ...place, version: here.version, print, complain })
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
  { folder, runFolder, version, print, complain }: Surroundings,
): Promise<number> {
  const server = (): Promise<Client> => connect(folder, runFolder)
  const output = { json: command.json, print }
  switch (command.name) {
    case 'status':
      return status(await server(), output)
    case 'doctor':
      return doctor(await server(), output)
    case 'user':
      return user(await server(), command, { print, readPassword: () => readPiped() })
    case 'db':
      return database(command, { folder, server }, output)
    case 'backup':
      return backup(await server(), command, output)
    case 'restore':
      return restoreBackup(command, { folder, runFolder, print, complain })
    case 'nodes':
      return nodes(await server(), command, output)
    case 'join-code':
      return joinCode(await server(), output)
    case 'join':
      // Needs much of the server, the others next to nothing.
      return (await import('./join.ts')).join(command, { folder, runFolder, version, print })
    case 'drain':
      return drain(await server(), command, output)
    case 'stop':
      return stop({ folder, runFolder }, output)
    case 'update':
      return update(server, command, output)
    default:
      return command satisfies never
  }
}

async function database(
  command: DatabaseCommand,
  { folder, server }: { folder: string; server: () => Promise<Client> },
  output: { json: boolean; print: (text: string) => void },
): Promise<number> {
  switch (command.action) {
    case 'test':
      return testDatabase(command.url, output)
    case 'trust':
      return trust(folder, output)
    case 'status':
      return databaseStatus(await server(), output)
    case 'move':
    case 'steer-move':
      return move(await server(), command, { ...output, terminal: process.stdout })
    default:
      return command satisfies never
  }
}
