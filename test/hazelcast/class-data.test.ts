// A real member, started twice in the same folder: half a minute, in thorough runs only. What is done with its class data is tested beside class-data.ts.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import pino from 'pino'
import { expect, test } from 'vitest'
import { hazelcastHere } from '../../server/cluster/hazelcast/java.ts'
import { superviseMember } from '../../server/cluster/hazelcast/member.ts'
import { memberFile } from '../../server/cluster/hazelcast/overlay.ts'
import { hazelcastDefaults } from '../../server/cluster/hazelcast/settings.ts'
import { memberConfiguration } from '../../server/cluster/hazelcast/yaml.ts'
import { isThorough } from '../faults/random.ts'
import { eventually, quietPort } from '../support/postgres-server.ts'

const canRun = process.platform === 'linux' && (await hazelcastHere()) !== undefined

test.skipIf(!canRun || !isThorough)(
  'class data are made at the first start of a member, and used at the next one, which costs less',
  async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'lanthorn-class-data-'))
    const portBase = (await quietPort()) - 1
    const secret = 'a secret that nobody guesses'
    const jmx = false
    const start = async () => {
      const member = superviseMember({
        folder,
        secret,
        settings: hazelcastDefaults,
        log: pino({ level: 'silent' }),
        file: async () =>
          memberFile(memberConfiguration({ number: 1, portBase, slots: [1], clusterName: secret, jmx })),
        onChange: () => undefined,
        classDataAfterMs: 0,
      })
      await eventually('the member to run', () => member.running !== undefined, 60_000)
      return { member, figures: member.figures() }
    }
    const archives = async () => (await readdir(folder)).filter(name => name.endsWith('.jsa'))
    try {
      const first = await start()
      await eventually('the class data', async () => (await archives()).length === 1, 120_000)
      await first.member.close()
      const second = await start()
      const maps = await readFile(`/proc/${second.figures?.pid}/maps`, 'utf8')
      await second.member.close()
      expect(maps).toContain((await archives())[0])
      const [before, after] = [first, second].map(({ figures }) => figures?.processorSeconds ?? Number.NaN)
      console.log(
        `a member started in ${first.figures?.startMs} ms (${before} s of a processor), with class data in ${second.figures?.startMs} ms (${after} s)`,
      )
      expect(after).toBeLessThan(before ?? 0)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
  240_000,
)
