import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** What measures how long others wait, or breaks processes and networks: not beside more than one other file. */
const timed = ['test/{cluster,database,desktop,faults,hazelcast}/**/*.test.ts']

// One runner for everything: units stand beside their code in server/ and app/, what needs more than one unit stands in test/.
export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // A busy computer needs more than the second that is usual.
    expect: { poll: { timeout: 10_000 } },
    pool: 'forks',
    passWithNoTests: true,
    projects: [
      {
        extends: true,
        test: {
          name: 'others',
          include: ['server/**/*.test.ts', 'app/**/*.test.ts', 'test/**/*.test.ts', 'ui/src/**/*.test.ts'],
          exclude: ['**/node_modules/**', ...timed],
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      { extends: true, test: { name: 'timed', include: timed, maxWorkers: 2, sequence: { groupOrder: 1 } } },
    ],
  },
})
