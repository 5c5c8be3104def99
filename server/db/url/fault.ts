/** What is wrong with a database URL, for the person who wrote it. */

/** How one looks. */
export const example = 'postgresql://lanthorn:secret@db1.office.example:5432,db2.office.example:5432/lanthorn'

/**
 * A database URL that cannot be used; the message is one sentence for the person who wrote it. It never repeats anything that was
 * written: where a URL is wrong, nobody can tell which part of it is the password.
 */
export class DatabaseUrlFault extends Error {
  override readonly name = 'DatabaseUrlFault'
  /** Where in the text as it was given (offset in UTF-16 units), when there is such a place. */
  readonly at?: number

  constructor(sentence: string, at?: number) {
    super(sentence)
    if (at !== undefined) this.at = at
  }
}

/** The place as words: “at character 27” for the offset 26. */
export function atCharacter(at: number): string {
  return `at character ${at + 1}`
}
