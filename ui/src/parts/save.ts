/** Saves a text as a file of the person at the screen. */
export function saveText(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/plain;charset=utf-8' }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  // The browser has taken the content by then; a minute is plenty for any of them.
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}
