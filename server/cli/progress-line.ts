/** How long work looks while one waits for it: on a terminal one line that changes, elsewhere a line per step. */

/** What of a terminal is used. */
export interface Terminal {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  write(text: string): unknown
}

export interface ProgressLine {
  /** @param line in full, for a terminal @param step in short: printed elsewhere whenever it is another one */
  show(line: string, step: string): void
  /** Takes the line away: what comes next begins at its place. */
  end(): void
}

/** @param print one line, where there is no terminal */
export function progressLine(terminal: Terminal | undefined, print: (text: string) => void): ProgressLine {
  let shown = ''
  if (!terminal?.isTTY) {
    return {
      show(_line, step) {
        if (step !== shown) print(step)
        shown = step
      },
      end: () => undefined,
    }
  }
  // A line that is as long as the terminal is wide would wrap, and stay.
  const columns = (): number => (terminal.columns ?? 80) - 1
  return {
    show(line) {
      if (line !== shown) terminal.write(`\r\x1b[2K${[...line].slice(0, columns()).join('')}`)
      shown = line
    },
    end() {
      if (shown !== '') terminal.write('\r\x1b[2K')
      shown = ''
    },
  }
}
