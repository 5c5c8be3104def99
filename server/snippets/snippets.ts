/** Ready-made configuration for whoever sets up the office's own PostgreSQL servers. */
import type { DatabaseAddress } from '../db/address.ts'
import { composeYml } from './compose.ts'
import { haproxyCfg, pgbouncerIni } from './proxies.ts'
import { pgHba, postgresqlConf, repmgrConf, repmgrSteps, VERSION } from './repmgr.ts'
import { snippetParts } from './servers.ts'

/** One piece of configuration. */
export interface Snippet {
  readonly id: string
  readonly title: string
  /** What it is for and where it goes. */
  readonly sentence: string
  /** Its usual file name. */
  readonly file: string
  readonly text: string
}

/**
 * All of them, in the order in which they are needed.
 * @param address its first two hosts are used; undefined: made-up ones. Passwords are never in it
 */
export function snippetsFor(address: DatabaseAddress | undefined): Snippet[] {
  const parts = snippetParts(address)
  const [first, second] = parts.servers
  return [
    {
      id: 'repmgr-steps',
      title: 'Two servers, one takes over: the commands',
      sentence: 'PostgreSQL with repmgr on two servers with Debian or Ubuntu, step by step.',
      file: 'steps.sh',
      text: repmgrSteps(parts),
    },
    {
      id: 'postgresql-conf',
      title: 'Settings of PostgreSQL',
      sentence: `On both servers, as a file in /etc/postgresql/${VERSION}/main/conf.d.`,
      file: 'lanthorn.conf',
      text: postgresqlConf(parts),
    },
    {
      id: 'pg-hba',
      title: 'Who may come in',
      sentence: `On both servers, at the beginning of /etc/postgresql/${VERSION}/main/pg_hba.conf.`,
      file: 'pg_hba.conf',
      text: pgHba(parts),
    },
    {
      id: 'repmgr-1',
      title: `repmgr on ${first.name}`,
      sentence: `On ${first.host}, as /etc/repmgr.conf.`,
      file: 'repmgr.conf',
      text: repmgrConf(first, 1),
    },
    {
      id: 'repmgr-2',
      title: `repmgr on ${second.name}`,
      sentence: `On ${second.host}, as /etc/repmgr.conf.`,
      file: 'repmgr.conf',
      text: repmgrConf(second, 2),
    },
    {
      id: 'haproxy',
      title: 'HAProxy: one address for both servers',
      sentence:
        'Only where other programs need it; Lanthorn finds the main database by itself. As /etc/haproxy/haproxy.cfg.',
      file: 'haproxy.cfg',
      text: haproxyCfg(parts),
    },
    {
      id: 'pgbouncer',
      title: 'PgBouncer: few connections for many programs',
      sentence: 'On both servers, as /etc/pgbouncer/pgbouncer.ini. Lanthorn alone does not need it.',
      file: 'pgbouncer.ini',
      text: pgbouncerIni(parts),
    },
    {
      id: 'compose',
      title: 'Two servers in containers, to try a take-over',
      sentence: 'On one PC with Docker or Podman, for trying it out only.',
      file: 'docker-compose.yml',
      text: composeYml(parts),
    },
  ]
}
