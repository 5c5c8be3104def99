import pino from 'pino'
import { expect, test } from 'vitest'
import { type Applicant, JoinFault } from '../cluster/welcome.ts'
import { JoiningDesk, joinSteps } from './joining.ts'

/** A desk at which joining fails with this; and what its log said. */
function failing(error: unknown) {
  const log: string[] = []
  const desk = new JoiningDesk({
    steps: joinSteps.wizard,
    log: pino({ level: 'info' }, { write: line => void log.push(line) }),
    offices: () => [],
    applicant: (): Promise<Applicant> => Promise.reject(error),
    settle: async () => '',
  })
  return { desk, log }
}

test('why a PC did not join is said when it is a sentence for people, and goes into the log when it is a bug', async () => {
  const said = failing(new JoinFault('busy', 'front-desk is busy.'))
  await said.desk.start({ address: '192.168.1.20' })
  await expect.poll(() => said.desk.joining.problem?.sentence).toBe('front-desk is busy.')
  expect(said.log.join()).toContain('"level":30')
  const bug = failing(new TypeError('x is not a function'))
  await bug.desk.start({ address: '192.168.1.20' })
  await expect.poll(() => bug.desk.joining.state).toBe('failed')
  expect(bug.desk.joining.problem?.sentence).toBe('This PC could not join the office. Its log says why.')
  expect(bug.log.join()).toContain('x is not a function')
})
