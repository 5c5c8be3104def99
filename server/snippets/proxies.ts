/** What may stand between Lanthorn and PostgreSQL: HAProxy, PgBouncer. */
import { placeIn, type SnippetParts } from './servers.ts'

/** The account that HAProxy asks with; it has no password and may do nothing. */
const CHECKER = 'haproxy_check'

/** HAProxy: one address that leads to whichever server says that it is no copy. */
export function haproxyCfg({ servers }: SnippetParts): string {
  return `# HAProxy asks each server once a second, in PostgreSQL's own language, whether it is a copy.
# On the main database, once:  CREATE ROLE ${CHECKER} LOGIN;
# In pg_hba.conf of both:      host postgres ${CHECKER} <address of this HAProxy>/32 trust
#
# Lanthorn finds the main database by itself when its URL names both servers. Use this only where other programs need
# one address: while two servers both call themselves the main database, HAProxy cannot tell which one is right.
global
  maxconn 1000

defaults
  mode tcp
  retries 0
  timeout connect 2s
  timeout client 1h
  timeout server 1h
  timeout check 2s

listen postgresql
  bind :5000
  option tcp-check
  tcp-check connect
  # “I am ${CHECKER}, I want the database postgres.”
  tcp-check send-binary ${startUpMessage(CHECKER, 'postgres')}
  # “SELECT pg_is_in_recovery()”
  tcp-check send-binary ${queryMessage('SELECT pg_is_in_recovery()')}
  # One row with one column: f.
  tcp-check expect binary 440000000b00010000000166
  # “Goodbye.”
  tcp-check send-binary 5800000004
  default-server check inter 1s fall 2 rise 1 init-addr last,libc,none on-marked-down shutdown-sessions
${servers.map((server, index) => `  server ${server.name} ${placeIn(server)}${index > 0 ? ' backup' : ''}\n`).join('')}`
}

/** PgBouncer in transaction mode, in front of the PostgreSQL of the same machine. */
export function pgbouncerIni({ servers, user, database }: SnippetParts): string {
  const hosts = servers.map(server => placeIn({ ...server, port: 6432 })).join(',')
  return `; On both database servers, each in front of its own PostgreSQL. PgBouncer does not look for the main database;
; Lanthorn does, so its URL names both:
;   postgresql://${user}:PASSWORD@${hosts}/${database}
; LISTEN hears nothing through PgBouncer in this mode; Lanthorn does not need it.
; userlist.txt beside this file has one line:  "${user}" "PASSWORD"
[databases]
${database} = host=127.0.0.1 port=${servers[0].port}
${servers[0].port === servers[1].port ? '' : `; on ${servers[1].name}: port=${servers[1].port}\n`}
[pgbouncer]
listen_addr = *
listen_port = 6432
unix_socket_dir =
auth_type = scram-sha-256
auth_file = /etc/pgbouncer/userlist.txt
pool_mode = transaction
default_pool_size = 20
max_client_conn = 500
server_login_retry = 1
server_connect_timeout = 3
ignore_startup_parameters = extra_float_digits
`
}

/** StartupMessage of protocol 3.0 (PostgreSQL manual 55.7), in hexadecimal. */
function startUpMessage(user: string, database: string): string {
  const words = Buffer.from(`user\0${user}\0database\0${database}\0\0`)
  const head = Buffer.alloc(8)
  head.writeInt32BE(words.length + 8, 0)
  head.writeInt32BE(196_608, 4)
  return Buffer.concat([head, words]).toString('hex')
}

/** Query message (manual 55.7), in hexadecimal. */
function queryMessage(text: string): string {
  const words = Buffer.from(`${text}\0`)
  const head = Buffer.alloc(5)
  head.write('Q')
  head.writeInt32BE(words.length + 4, 1)
  return Buffer.concat([head, words]).toString('hex')
}
