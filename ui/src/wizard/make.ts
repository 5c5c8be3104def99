import { createOffice } from '../../../server/admin/contract/setup.ts'
import { call, troubleIn } from '../api.ts'
import { answers, outcome, ownDatabase } from './answers.svelte.ts'

/** Makes the office from the answers; what came of it stands in `outcome`. Pressing twice makes it once. */
export async function makeOffice(): Promise<void> {
  if (outcome.making) return
  outcome.making = true
  outcome.trouble = undefined
  try {
    outcome.made = await call(createOffice, {
      body: {
        office: answers.office.trim(),
        domain: answers.domain.trim(),
        ...(answers.databaseIsOwn ? { database: { url: ownDatabase.url.trim() } } : {}),
        person: { name: answers.name.trim(), username: answers.username.trim(), password: answers.password },
      },
    })
    answers.password = ''
  } catch (thrown) {
    outcome.trouble = troubleIn(thrown)
  } finally {
    outcome.making = false
  }
}
