/** The member's log, record by record. It writes them by Java's own logging, in a form that we choose. */

/** For `-Djava.util.logging.config.file`: level, logger and text with separators that no text has, so that a record may have many lines. */
export const loggingProperties = `handlers=java.util.logging.ConsoleHandler
.level=INFO
java.util.logging.ConsoleHandler.level=ALL
java.util.logging.ConsoleHandler.formatter=java.util.logging.SimpleFormatter
java.util.logging.SimpleFormatter.format=\\u001e%4$s\\u001f%3$s\\u001f%5$s%6$s\\u001e%n
`

export interface MemberRecord {
  readonly level: 'error' | 'warn' | 'info' | 'debug'
  /** Last part of the Java class that wrote it: 'ClusterService'; 'java' for what Java itself printed. */
  readonly source: string
  /** In one line. */
  readonly text: string
}

const textMax = 2_000
const restMax = 64 * 1024
/** Heard at our level `info`: who is in the cluster, and that it runs. All else the member tells is for those who look for a fault. */
const news = /is STARTED|is SHUTDOWN|^Members \{|Removing Member|Merging|merged/

/** What it says of connections to others: the links, which carry them, tell the same in one line each; of a PC that went it comes by the dozen. */
const connections = /^TcpServerConnection/

/** Cuts what the member prints into records. `take` is called for each; `rest` never grows beyond a bound. */
export function readRecords(take: (record: MemberRecord) => void): (chunk: string) => void {
  let rest = ''
  return chunk => {
    const pieces = (rest + chunk).split('\u001e')
    rest = (pieces.pop() ?? '').slice(-restMax)
    // What Java itself prints has no separators: it is told line by line once the next record (or nothing) follows.
    if (!rest.includes('\u001f') && rest.endsWith('\n')) {
      pieces.push(rest)
      rest = ''
    }
    for (const piece of pieces) if (piece.trim() !== '') take(readRecord(piece))
  }
}

function readRecord(piece: string): MemberRecord {
  const [level, logger, ...texts] = piece.split('\u001f')
  if (texts.length === 0) return { level: 'debug', source: 'java', text: oneLine(piece) }
  const text = oneLine(texts.join(' '))
  const source = logger?.split('.').at(-1) ?? ''
  return { level: connections.test(source) ? 'debug' : levelOf(level ?? '', text), source, text }
}

function levelOf(level: string, text: string): MemberRecord['level'] {
  if (level === 'SEVERE') return 'error'
  if (level === 'WARNING') return 'warn'
  return news.test(text) ? 'info' : 'debug'
}

function oneLine(text: string): string {
  return text.trim().replace(/\s+/g, ' ').slice(0, textMax)
}
