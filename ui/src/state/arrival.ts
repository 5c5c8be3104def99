/** A new page is a new place for the keyboard and the screen reader too: its heading takes the focus, as soon as it is there. */
let isNew = false

/** Another page was asked for. */
export function arrive(): void {
  isNew = true
}

/** The heading of a page has come up: it takes the focus if the page is new; not when the window has just been opened. */
export function greet(heading: HTMLElement): void {
  if (!isNew) return
  isNew = false
  heading.focus({ preventScroll: true })
}

/** The heading of a part that was opened on purpose, such as the panel of a PC: it takes the focus whenever it comes up. */
export function greetAlways(heading: HTMLElement): void {
  heading.focus({ preventScroll: true })
  heading.scrollIntoView({ block: 'nearest' })
}
