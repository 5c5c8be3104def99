/** Light, dark, or as the PC has it; kept in this browser. */
export const looks = ['system', 'light', 'dark'] as const
/** One of {@link looks}. */
export type Look = (typeof looks)[number]

const key = 'lanthorn.look'
const chosen = $state({
  look: looks.find(name => name === globalThis.localStorage?.getItem(key)) ?? ('system' as Look),
})

/** The look chosen in this browser; reactive. */
export function look(): Look {
  return chosen.look
}

/** Changes the look at once and keeps it. */
export function wear(look: Look): void {
  chosen.look = look
  localStorage.setItem(key, look)
  showLook()
}

/** Puts the chosen look on the page. */
export function showLook(): void {
  document.documentElement.dataset.look = chosen.look
}
