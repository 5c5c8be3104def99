/** An update that cannot be; the message is a sentence for the administrator. */
export class UpdateFault extends Error {
  override readonly name = 'UpdateFault'
}

/** What went wrong, as a sentence. */
export function sentenceOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return /[.!?]$/.test(text) ? text : `${text}.`
}
