import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { readmeFile, withStandards } from '../../installers/readme.ts'
import { loadFeatures, standardsOf } from '../../server/chat.ts'

test('the table of standards in the README is what the features declare (mend with: npm run readme)', async () => {
  const readme = await readFile(readmeFile, 'utf8')
  expect(readme).toBe(withStandards(readme, standardsOf(await loadFeatures())))
})

test('every feature has a name of its own and standards with a title', async () => {
  const features = await loadFeatures()
  expect(new Set(features.map(one => one.name)).size).toBe(features.length)
  for (const standard of features.flatMap(one => one.standards)) {
    expect(standard.id).toMatch(/^(RFC \d{4}|XEP-\d{4})$/)
    expect(standard.title).not.toBe('')
  }
})
