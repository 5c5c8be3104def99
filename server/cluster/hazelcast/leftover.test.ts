import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp, readFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { findHazelcast, findJava, minorOf } from './java.ts'
import { endLeftover, noteMember } from './leftover.ts'
import { type MemberRecord, readRecords } from './member-log.ts'
import { splitFlags } from './settings.ts'

const waits = ['-e', 'setInterval(() => undefined, 1000)', '--']

test('the member of a killed server is ended at the next start, and only when the process is really that one', async () => {
  const note = path.join(await mkdtemp(path.join(os.tmpdir(), 'leftover-')), 'member.pid')
  const child = spawn(process.execPath, [...waits, '-Dhazelcast.config=/data/of/one'], { stdio: 'ignore' })
  const exited = once(child, 'exit')
  await once(child, 'spawn')
  const pid = child.pid as number
  await noteMember(note, pid)
  // Between fork and exec a process still has its parent's command line.
  await expect
    .poll(() => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '/data/of/one'))
    .toContain('/data/of/one')
  expect(await endLeftover(note, '-Dhazelcast.config=/data/of/two')).toBeUndefined()
  expect(child.exitCode).toBeNull()
  await noteMember(note, pid)
  expect(await endLeftover(note, '-Dhazelcast.config=/data/of/one')).toBe(pid)
  expect((await exited)[1]).toBe('SIGKILL')
  await expect(access(note)).rejects.toThrow()
  expect(await endLeftover(note, '-Dhazelcast.config=/data/of/one')).toBeUndefined()
})

test('a member dies with the server that is killed', { skip: process.platform === 'win32' }, async () => {
  const program = `
    import { spawn } from 'node:child_process'
    import { killWithUs } from '${path.join(import.meta.dirname, 'leftover.ts')}'
    const child = spawn(process.execPath, ${JSON.stringify(waits)}, { stdio: 'ignore', detached: true })
    killWithUs(child.pid)
    console.log(child.pid)
    setInterval(() => undefined, 1000)`
  const server = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(server.stdout, 'data')) as [Buffer]
  const member = Number(line.toString())
  expect(isAlive(member)).toBe(true)
  server.kill('SIGKILL')
  await expect.poll(() => isAlive(member), { timeout: 10_000 }).toBe(false)
})

test('without Java or Hazelcast there is one sentence with what to do', async () => {
  expect(await findJava({ PATH: '' })).toSatisfy(
    found => typeof found !== 'string' || /because no Java was found: install a Java 17 or newer/.test(found),
  )
  expect(await findHazelcast('/nowhere')).toContain(
    'because Hazelcast is missing: start Lanthorn again while Maven is installed',
  )
  expect(minorOf('5.7.0')).toBe('5.7')
})

test('the member’s log is read record by record, however it is cut, each in one line', () => {
  const records: MemberRecord[] = []
  const read = readRecords(record => void records.push(record))
  const printed =
    '\u001eINFO\u001fcom.hazelcast.internal.cluster.ClusterService\u001f\n\nMembers {size:1, ver:1} [\n\tMember [127.0.0.1]:5711 this\n]\n\u001e\n\u001eWARNING\u001fa.b.C\u001fslow\u001e\nOpenJDK warning: something\n'
  for (const character of printed) read(character)
  expect(records).toEqual([
    { level: 'info', source: 'ClusterService', text: 'Members {size:1, ver:1} [ Member [127.0.0.1]:5711 this ]' },
    { level: 'warn', source: 'C', text: 'slow' },
    { level: 'debug', source: 'java', text: 'OpenJDK warning: something' },
  ])
})

test('options are split as a shell would', () => {
  expect(splitFlags(' -Xss256k  -Dname="two words" ""')).toEqual(['-Xss256k', '-Dname=two words', ''])
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
