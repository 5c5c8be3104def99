import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// One runner for everything: units stand beside their code in server/ and app/, what needs more than one unit stands in test/.
export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    include: ['server/**/*.test.ts', 'app/**/*.test.ts', 'test/**/*.test.ts', 'ui/src/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // A busy computer needs more than the second that is usual.
    expect: { poll: { timeout: 10_000 } },
    maxWorkers: 2,
    pool: 'forks',
    passWithNoTests: true,
  },
})
