/** What the wizard's last step does: a new office on this PC. */
import type { JoinDesk, OfficeInput, OfficeMade, OnProgress, SetupParts } from './admin/parts.ts'
import type { Chat } from './chat.ts'
import type { Listen } from './config.ts'
import { tryDatabase } from './db/inspect/inspect.ts'
import { refusalOf } from './first-start.ts'
import { dnsDomain, lanAddresses } from './host.ts'
import type { OfficeIdentity } from './office.ts'

/** What it needs of the appliance. */
export interface WizardParts {
  readonly join: JoinDesk
  node(): string
  listen(): Listen
  /** Uses an outside database instead of the built-in one that was started. @throws DatabaseAway */
  useOutside(url: string): Promise<void>
  open(identity: OfficeIdentity, url: string, prepare: (chat: Chat) => Promise<void>): Promise<void>
}

export function setupPartsOf(parts: WizardParts): SetupParts {
  return {
    suggestedDomain: dnsDomain,
    createOffice: (input, onProgress) => createOffice(parts, input, onProgress),
    checkDatabase: tryDatabase,
    join: parts.join,
  }
}

async function createOffice(parts: WizardParts, input: OfficeInput, onProgress: OnProgress): Promise<OfficeMade> {
  const url = input.database?.url ?? 'embedded'
  onProgress('office-database', 'doing')
  try {
    if (url !== 'embedded') await parts.useOutside(url)
    onProgress('office-database', 'done')
    onProgress('keys', 'doing')
    const identity = { office: input.office, domain: input.domain, node: parts.node(), listen: parts.listen() }
    await parts.open(identity, url, async chat => {
      onProgress('keys', 'done')
      onProgress('account', 'doing')
      if (!(await chat.parts.accounts.get(input.person.username))) {
        await chat.parts.accounts.create({ ...input.person, isAdmin: true })
      }
      onProgress('account', 'done')
      onProgress('open', 'doing')
    })
    onProgress('open', 'done', lanAddresses()[0])
    return { kind: 'made' }
  } catch (error) {
    const refused = refusalOf(error)
    if (!refused) throw error
    return refused
  }
}
