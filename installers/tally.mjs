// A vitest reporter that keeps the sum on disk while the tests run, so that it is there even if the run has to be ended.
import { writeFileSync } from 'node:fs'

/** Counts tests as vitest reports them; the file named in LANTHORN_TALLY always holds the present sum, and what failed, as JSON. */
export default class Tally {
  #sum = { passed: 0, failed: 0, skipped: 0, failures: [] }

  onTestCaseResult(testCase) {
    const { state, errors } = testCase.result()
    if (['passed', 'failed', 'skipped'].includes(state)) this.#sum[state]++
    if (state === 'failed') {
      const { module, fullName } = testCase
      this.#sum.failures.push(`${module.moduleId} > ${fullName}: ${errors?.[0]?.message ?? 'no reason given'}`)
    }
    this.#write()
  }

  /** A file that cannot be loaded, or whose set-up fails, has no failed test of its own: the file itself is counted. */
  onTestModuleEnd(testModule) {
    if (testModule.state() !== 'failed') return
    const failedTests = [...testModule.children.allTests('failed')]
    if (failedTests.length === 0) this.#sum.failed++
    this.#write()
  }

  onTestRunEnd(_modules, unhandledErrors) {
    this.#sum.failed += unhandledErrors.length
    this.#write()
  }

  #write() {
    if (process.env.LANTHORN_TALLY) writeFileSync(process.env.LANTHORN_TALLY, JSON.stringify(this.#sum))
  }
}
