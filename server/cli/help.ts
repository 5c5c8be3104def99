/** What `--help` prints. Lines of at most 100 characters. */
import type { Topic } from './parse.ts'

const general = `Lanthorn, chat for offices.

  lanthorn [run]             starts the server and keeps it running
  lanthorn status            how the office is, in a few lines
  lanthorn doctor            every check, failing ones first
  lanthorn user …            adds, removes and lists people, gives passwords
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
`,
  status: `lanthorn status [--data DIR] [--json]

Says how the office is. Exit code 0 while chat works, 1 when something is broken.
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
}

/** The text about one command, or about all. */
export function helpText(topic: Topic | undefined): string {
  return topic === undefined ? general : topics[topic]
}
