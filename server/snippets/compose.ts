/** Two servers with repmgr in containers, for trying a take-over out on one PC. */
import type { SnippetParts } from './servers.ts'

/**
 * The image of the guide, `bitnami/postgresql-repmgr`, is not published there any more since August 2025: its last versions stand still
 * under `bitnamilegacy/`. Kept because its variables are documented and it needs nothing else; the file says what that means.
 */
const IMAGE = 'bitnamilegacy/postgresql-repmgr:17.6.0'

/** docker-compose.yml. */
export function composeYml({ user, database }: SnippetParts): string {
  return `# For trying it out: docker compose up -d
# The image stands still since August 2025 and gets no security updates any more: not for a network with strangers in it.
# Then:  postgresql://${user}:CHANGE-ME-LANTHORN@127.0.0.1:5432,127.0.0.1:5433/${database}
# Try a take-over:  docker compose stop db-1    and back, as a copy:  docker compose start db-1
services:
${service(1, { user, database })}
${service(2, { user, database })}
volumes:
  db-1-data: {}
  db-2-data: {}
`
}

function service(number: 1 | 2, { user, database }: Pick<SnippetParts, 'user' | 'database'>): string {
  const name = `db-${number}`
  return `  ${name}:
    image: ${IMAGE}
    restart: unless-stopped
    ports:
      - "127.0.0.1:${5431 + number}:5432"
    volumes:
      - ${name}-data:/bitnami/postgresql
    environment:
      POSTGRESQL_POSTGRES_PASSWORD: CHANGE-ME-ADMIN
      POSTGRESQL_USERNAME: ${user}
      POSTGRESQL_PASSWORD: CHANGE-ME-LANTHORN
      POSTGRESQL_DATABASE: ${database}
      REPMGR_PASSWORD: CHANGE-ME-REPMGR
      REPMGR_PRIMARY_HOST: db-1
      REPMGR_PARTNER_NODES: db-1,db-2:5432
      REPMGR_NODE_NAME: ${name}
      REPMGR_NODE_NETWORK_NAME: ${name}
    healthcheck:
      test: ["CMD", "pg_isready", "-h", "127.0.0.1", "-p", "5432"]
      interval: 5s
      timeout: 3s
      retries: 12`
}
