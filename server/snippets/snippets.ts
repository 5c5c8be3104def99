/** Ready-made configuration for whoever sets up the office's own PostgreSQL servers. */

import type { listSnippets } from '../admin/contract/database.ts'
import type { Reply } from '../admin/contract/endpoint.ts'
import type { DatabaseAddress } from '../db/address.ts'

/** One piece of configuration. */
export type Snippet = Reply<typeof listSnippets>['snippets'][number]

/** All of them, for the hosts of an address when there is one. */
export function snippetsFor(_address: DatabaseAddress | undefined): Snippet[] {
  return []
}
