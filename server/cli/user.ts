/** `lanthorn user …`: people, from the command line. */
import { addPerson, listPeople, type Person, removePerson, resetPassword } from '../admin/contract/people.ts'
import type { Client } from './client.ts'
import type { UserCommand } from './parse.ts'

const PAGE = 200
const PAGES_MAX = 5_000

/**
 * Does what was asked.
 * @param options.readPassword gives what was piped in; undefined when nothing was
 * @returns exit code 0
 * @throws CallFault with the sentence of the server
 */
export async function user(
  call: Client,
  command: UserCommand,
  options: { print: (text: string) => void; readPassword: () => Promise<string | undefined> },
): Promise<number> {
  const say = (facts: object, text: string): void => options.print(command.json ? JSON.stringify(facts) : text)
  switch (command.action) {
    case 'list': {
      const people = await everyone(call)
      say({ people }, people.map(line).join('\n'))
      return 0
    }
    case 'add': {
      const { username, personName: name = username, isAdmin: admin } = command
      const password = await options.readPassword()
      const made = await call(addPerson, {
        body: { username, name, admin, ...(password !== undefined && { password }) },
      })
      const secret = made.password === undefined ? '' : ` The password is ${made.password}`
      say(made, `${made.person.address} was added.${secret}`)
      return 0
    }
    case 'password': {
      const { username } = command
      const password = await options.readPassword()
      const body = password === undefined ? {} : { password }
      const made = await call(resetPassword, { params: { username }, body })
      const secret = made.password === undefined ? '' : ` It is ${made.password}`
      say({ username, ...made }, `${username} has a new password.${secret}`)
      return 0
    }
    case 'remove': {
      const { username } = command
      await call(removePerson, { params: { username } })
      say({ username, removed: true }, `${username} was removed.`)
      return 0
    }
    default:
      return command satisfies never
  }
}

async function everyone(call: Client): Promise<Person[]> {
  const people: Person[] = []
  for (let page = 0; page < PAGES_MAX; page++) {
    const answer = await call(listPeople, { query: { offset: page * PAGE, limit: PAGE } })
    people.push(...answer.people)
    if (answer.people.length < PAGE) break
  }
  return people
}

function line({ address, name, admin, blocked, online }: Person): string {
  const notes = [admin && 'administrator', blocked && 'blocked', online && 'online'].filter(Boolean).join(', ')
  return `${address}  ${name}${notes ? `  (${notes})` : ''}`
}
