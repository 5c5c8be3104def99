/** What `--help` prints. Lines of at most 100 characters. */
import type { Topic } from './parse.ts'

const general = `Lanthorn, chat for offices.

  lanthorn [run]             starts the server and keeps it running
  lanthorn status            how the office is, in a few lines
  lanthorn doctor            every check, failing ones first
  lanthorn user …            adds, removes and lists people, gives passwords
  lanthorn db …              where the data is; tries other PostgreSQL servers, moves the data
  lanthorn backup            makes a backup now; also lists and proves them
  lanthorn restore BACKUP    puts the office back to a backup
  lanthorn nodes             the PCs that carry the office
  lanthorn join-code         makes a code that lets one more PC join
  lanthorn join CODE         makes this PC one of an office that is there
  lanthorn drain             takes this PC out for maintenance: its people go to the others
  lanthorn stop              stops the server of this PC in order
  lanthorn update            whether there is a newer version; also looks for it and installs it
  lanthorn help COMMAND      more about one of them
  lanthorn --version

Every command takes --data DIR, the folder with everything of this appliance.
Exit codes: 0 fine, 1 not fine, 2 not understood or not running.
`

const topics: Record<Topic, string> = {
  run: `lanthorn [run] [--data DIR] [--config FILE] [--no-open]

  --data DIR       where everything of this appliance is kept; made when missing
  --config FILE    an autosetup file; read only while the data folder is empty
  --no-open        does not open the admin pages in the browser

Prints “ready {…}” when people can log in. Ends on SIGTERM (or Ctrl+C).
LANTHORN_AUTOSETUP names a FILE for where --config is not given; LANTHORN_RUN_FOLDER a folder where
the group of the server finds it: commands of its members work without --data.
`,
  status: `lanthorn status [--data DIR] [--json]

Says how the office is: the PCs, their links and how long they take, the database, versions.
Exit code 0 while chat works, 1 when something is broken.
`,
  doctor: `lanthorn doctor [--data DIR] [--json]

Makes every check now and prints them, failing ones first. Exit code 0 when all are fine, else 1.
`,
  user: `lanthorn user add NAME [--name "Full Name"] [--admin] [--data DIR] [--json]
lanthorn user password NAME
lanthorn user remove NAME
lanthorn user list

add and password read the password from standard input when something is piped into it
(echo secret words | lanthorn user add anna); otherwise they make one up and print it once.
`,
  db: `lanthorn db status [--data DIR] [--json]
lanthorn db test URL [--json]
lanthorn db move URL|embedded [--detach] [--data DIR] [--json]
lanthorn db move --cancel | --resume | --forget
lanthorn db trust

status   where the data is and how each PostgreSQL server is
test     looks at every server of a URL and says what is wrong; changes nothing,
         works while the server is stopped
move     copies everything to another database and then uses that; chat goes on meanwhile
         Ctrl+C ends only the waiting; --detach does not wait; --cancel keeps what is copied
         “embedded” moves back to the built-in database; the old one is kept until it is removed
trust    forgets which PostgreSQL servers this PC has seen: after you have replaced them on purpose.
         The server must be stopped

A URL names all servers: postgresql://USER:PASSWORD@HOST1,HOST2/DATABASE. The JDBC, Npgsql and
key=value spellings are read too. Put it in quotes. Everybody on this PC can see a command line:
write - instead and send the URL through standard input (lanthorn db test - < url.txt).
Exit code of test and status: 0 fine or worth a warning, 1 it cannot be used.
`,
  backup: `lanthorn backup [--data DIR] [--json]
lanthorn backup list
lanthorn backup prove NAME

Without more it makes a backup now, and proves it by a restore into a scratch database.
prove does the same again with an older one. Backups are also made every night by themselves.
`,
  restore: `lanthorn restore NAME|FOLDER --yes [--url URL] [--data DIR] [--json]
lanthorn restore FOLDER --data EMPTY-DIR [--recovery-key KEY] [--url URL] [--json]

While the office runs: puts it back to what a backup holds, a NAME of “lanthorn backup list” or
its FOLDER. Everything since is set aside, not deleted: the present database is kept. Everybody is
signed out for some seconds.

After all PCs were lost: makes the office anew in an empty data folder, with its own certificates,
so that apps trust it as before. Then “lanthorn run” starts it. The recovery key stands on the
recovery sheet; without the option it is read from standard input.

  --url URL            an empty PostgreSQL database to restore into; - reads it from standard input
  --recovery-key KEY   opens the keys of the office in the backup; - reads it from standard input
  --yes                does not ask
`,
  nodes: `lanthorn nodes [--discover] [--data DIR] [--json]

The PCs that carry the office: how each is, its people, its links, where the database is.
Exit code 0 when all are there, 1 when one is missing.

  --discover       the offices and PCs that announce themselves on this network instead
`,
  'join-code': `lanthorn join-code [--data DIR] [--json]

Prints a join code: good for one PC and 15 minutes. On that PC: lanthorn join CODE
`,
  join: `lanthorn join CODE|ADDRESS [--data EMPTY-DIR] [--json]

Makes this PC one of an office that is there: with a join code (lanthorn join-code), or with the
address of one of its PCs; then both show the same code, and somebody there presses Accept.
CODE may be -: it is read from standard input. Afterwards “lanthorn run” starts it.
Without a person: a token in the autosetup file (“cluster”) on all PCs.
`,
  drain: `lanthorn drain [NAME] [--resume] [--data DIR] [--json]
lanthorn drain --minutes N

Takes a PC (this one without a NAME) out for maintenance: its people go on to other PCs, nobody
logs in there. It stays so over a restart.

  --resume         people can log in there again
  --minutes N      this PC for so long, then they can by themselves; also where it is the only one:
                   then its people cannot chat meanwhile
`,
  stop: `lanthorn stop [--data DIR] [--json]

Stops the server of this PC in order, as SIGTERM does, and waits until it has ended: its people go
on to other PCs. Where Lanthorn is a service of the computer, start it again as one.
`,
  update: `lanthorn update [--data DIR] [--json]
lanthorn update check
lanthorn update install
lanthorn update stop

Without more it says whether there is a newer version, and where each PC stands.
check    looks now into the feed that the settings name (updates.feed)
install  installs the newest version on all PCs, one after the other, and shows how it goes on;
         also goes on after a failure. Ctrl+C ends only the watching
stop     no further PC is updated until “install”; one that has begun goes on
Exit code 0 when all PCs have the newest version, or nobody looks for any; 1 when not.
`,
}

/** The text about one command, or about all. */
export function helpText(topic: Topic | undefined): string {
  return topic === undefined ? general : topics[topic]
}
