/** Two PostgreSQL servers where the second copies the first and takes over by itself: Debian's and Ubuntu's packages. */
import { hbaAddress, type SnippetParts, type SnippetServer } from './servers.ts'

/** The PostgreSQL that the paths name: the one in Debian 12. */
export const VERSION = '15'
const CONFIGURATION = '/etc/repmgr.conf'

/** Settings for both servers: what copying and taking over need. */
export const postgresqlConf = ({
  servers: [first, second],
}: SnippetParts): string => `# The same on both servers${first.port === second.port ? '' : ', but for the port'}.
listen_addresses = '*'
port = ${first.port}${first.port === second.port ? '' : `  # on ${first.name}; on ${second.name}: port = ${second.port}`}
password_encryption = 'scram-sha-256'
max_connections = 200

# Copying, and making a former main database a copy again.
wal_level = 'replica'
max_wal_senders = 10
max_replication_slots = 10
wal_keep_size = '1GB'
hot_standby = on
wal_log_hints = on
shared_preload_libraries = 'repmgr'

# A server that is gone without a word is noticed within seconds.
tcp_keepalives_idle = 5
tcp_keepalives_interval = 2
tcp_keepalives_count = 3
wal_sender_timeout = '10s'
wal_receiver_timeout = '10s'

# A change counts only when the copy has it too: then a take-over loses nothing. The price: while the copy is off, changes
# wait for it, so with two servers somebody must set the first line to '' until it is back. With three that is not needed.
# synchronous_standby_names = 'ANY 1 (*)'
# synchronous_commit = 'remote_apply'

# Do not set these: a server that does not wait for its disk loses data in a power cut.
# fsync = off
# full_page_writes = off
`

/** Who may come in. */
export function pgHba({ servers, user, database }: SnippetParts): string {
  const line = (...words: string[]): string =>
    words.map((word, index) => (index < words.length - 1 ? word.padEnd(index === 3 ? 24 : 12) : word)).join(' ')
  const own = servers.flatMap(({ host }) => [
    line('host', 'repmgr', 'repmgr', hbaAddress(host), 'scram-sha-256'),
    line('host', 'replication', 'repmgr', hbaAddress(host), 'scram-sha-256'),
  ])
  return `# The same on both servers, above the lines that are there.
# The servers themselves.
${line('local', 'all', 'postgres', '', 'peer')}
${own.join('\n')}
# Lanthorn: from all PCs in the same network (samenet); name single addresses if that is too many.
${line('host', database, user, 'samenet', 'scram-sha-256')}
`
}

/** repmgr's own file, one for each server. */
export function repmgrConf({ host, name, port }: SnippetServer, id: 1 | 2): string {
  const conninfo = `host=${host} port=${port} user=repmgr dbname=repmgr connect_timeout=2`
  return `# Only on ${name}.
node_id=${id}
node_name='${name}'
conninfo='${conninfo}'
data_directory='/var/lib/postgresql/${VERSION}/main'
config_directory='/etc/postgresql/${VERSION}/main'
pg_bindir='/usr/lib/postgresql/${VERSION}/bin'

# The copy takes over when the main database has not answered for about 4 seconds.
failover='automatic'
promote_command='/usr/bin/repmgr standby promote -f ${CONFIGURATION} --log-to-file'
follow_command='/usr/bin/repmgr standby follow -f ${CONFIGURATION} --log-to-file --upstream-node-id=%n'
monitor_interval_secs=1
reconnect_attempts=4
reconnect_interval=1
log_file='/var/log/postgresql/repmgr.log'

service_start_command='/usr/bin/pg_ctlcluster ${VERSION} main start'
service_stop_command='/usr/bin/pg_ctlcluster ${VERSION} main stop'
service_restart_command='/usr/bin/pg_ctlcluster ${VERSION} main restart'
service_reload_command='/usr/bin/pg_ctlcluster ${VERSION} main reload'
`
}

/** What to do on which server, in order. */
export function repmgrSteps({ servers: [first, second], user, database }: SnippetParts): string {
  return `# Commands as root, in this order. They need no systemd.
# ${VERSION} is the PostgreSQL of Debian 12. With another version write its number instead, in all the files.

# 1. On both servers: install, and put postgresql.conf, pg_hba.conf and repmgr.conf in their places.
apt-get install postgresql-${VERSION} postgresql-${VERSION}-repmgr

# 2. On both servers: repmgr's password, for the system user postgres alone.
install -o postgres -g postgres -m 600 /dev/null ~postgres/.pgpass
echo '*:*:*:repmgr:CHANGE-ME-REPMGR' > ~postgres/.pgpass

# 3. On ${first.name} (${first.host}): restart, make the accounts and the database, register.
pg_ctlcluster ${VERSION} main restart
su postgres -c "createuser --superuser --pwprompt repmgr"
su postgres -c "createdb --owner=repmgr repmgr"
su postgres -c "createuser --pwprompt ${user}"
su postgres -c "createdb --owner=${user} --encoding=UTF8 --template=template0 ${database}"
su postgres -c "psql -c 'GRANT pg_monitor TO \\"${user}\\"'"
su postgres -c "repmgr -f ${CONFIGURATION} primary register"

# 4. On ${second.name} (${second.host}): replace its empty data by a copy of ${first.name}, start, register.
pg_ctlcluster ${VERSION} main stop
su postgres -c "repmgr -h ${first.host} -p ${first.port} -U repmgr -d repmgr -f ${CONFIGURATION} standby clone --force --fast-checkpoint"
pg_ctlcluster ${VERSION} main start
su postgres -c "repmgr -f ${CONFIGURATION} standby register"

# 5. On both servers: what watches the other one. Let it start with the server, too.
su postgres -c "repmgrd -f ${CONFIGURATION} --daemonize"
su postgres -c "repmgr -f ${CONFIGURATION} cluster show"

# repmgrd asks without a time limit: should the main database freeze (not stop) in that very moment, the copy waits with it.
# Then take over by hand, on the copy:  su postgres -c "repmgr -f ${CONFIGURATION} standby promote"

# Later, when a server that was the main database comes back: it must become a copy before anything else.
# On the other one, which is the main database now:
#   su postgres -c "psql -c CHECKPOINT"
# On the one that came back, when that is ${first.name} (for ${second.name} name the host and port of ${first.name}):
#   pg_ctlcluster ${VERSION} main stop
#   su postgres -c "repmgr -f ${CONFIGURATION} node rejoin --force-rewind -d 'host=${second.host} port=${second.port} user=repmgr dbname=repmgr connect_timeout=2'"
#   su postgres -c "repmgrd -f ${CONFIGURATION} --daemonize"

# Two servers that lose sight of each other both become the main database. Lanthorn then uses the newer one only.
# A third small PC as a witness prevents it. There, steps 1 to 3 with these differences: repmgr.conf with node_id=3, its own
# name and host; in step 3 only the accounts and the database of repmgr; no “primary register” but
#   su postgres -c "repmgr -f ${CONFIGURATION} witness register -h ${first.host} -p ${first.port} -U repmgr -d repmgr"
# and repmgrd as in step 5. Its address needs the two lines for repmgr in pg_hba.conf of both servers, theirs in its own.
`
}
