import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const units = ['server/**/*.test.ts', 'app/**/*.test.ts', 'ui/src/**/*.test.ts']

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
      // Whole appliances come first, on a computer that has time for them.
      {
        extends: true,
        test: { name: 'whole', include: ['test/**/*.test.ts'], maxWorkers: 2, sequence: { groupOrder: 0 } },
      },
      { extends: true, test: { name: 'units', include: units, maxWorkers: 3, sequence: { groupOrder: 1 } } },
    ],
  },
})
