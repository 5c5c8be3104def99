/** The people of a load test, and many of them at once. */
import { type Account, Connection, type Target } from './connection.ts'

const atOnce = 20

/** `size` accounts named u0, u1, … */
export function crowd(size: number): Account[] {
  return Array.from({ length: size }, (_, index) => ({ username: `u${index}`, password: `password-of-u${index}` }))
}

/** Logs in `sessions` times, people in turn, a few at once; resources begin with `name`. */
export async function logInAll(target: Target, people: Account[], sessions: number, name = 'r'): Promise<Connection[]> {
  const connections: Connection[] = []
  let next = 0
  const one = async () => {
    while (next < sessions) {
      const index = next++
      const account = people[index % people.length]
      if (!account) throw new Error('a crowd needs people')
      connections[index] = await Connection.open(
        target,
        account,
        `${name}${Math.floor(index / people.length)}`,
        'SCRAM-SHA-1',
      )
    }
  }
  await Promise.all(Array.from({ length: atOnce }, one))
  return connections
}
