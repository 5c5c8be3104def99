/** Short sentences at the lower edge: what was just done, with a button to take it back. */

/** One notice on the screen. */
export interface Notice {
  readonly id: number
  readonly state: 'ok' | 'bad'
  readonly sentence: string
  readonly undo?: (() => void) | undefined
}

const shown = $state<{ list: Notice[] }>({ list: [] })
const listMax = 3
let lastId = 0

/** The notices on the screen, oldest first; reactive. */
export function notices(): readonly Notice[] {
  return shown.list
}

/** Shows a notice: for six seconds, ten with an undo, a failure until it is closed. */
export function notify(state: Notice['state'], sentence: string, undo?: () => void): void {
  const id = ++lastId
  shown.list = [...shown.list, { id, state, sentence, undo }].slice(-listMax)
  if (state === 'ok') setTimeout(() => dismiss(id), undo ? 10_000 : 6000)
}

/** Takes a notice away. */
export function dismiss(id: number): void {
  shown.list = shown.list.filter(notice => notice.id !== id)
}
