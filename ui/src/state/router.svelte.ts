/** Pages by the part after #, so that any server of static files will do and Back always works. */
import { type Place, placeOf } from './place.ts'

const current = $state({ place: placeOf(globalThis.location?.hash ?? '') })

/** The place shown now; reactive. */
export function place(): Place {
  return current.place
}

/** Goes to a place; with `replace`, Back does not return to the one before. */
export function go(to: string, how?: 'replace'): void {
  if (how === 'replace') {
    history.replaceState(null, '', `#${to}`)
    current.place = placeOf(`#${to}`)
  } else if (location.hash !== `#${to}`) {
    location.hash = to
  }
}

/** Follows the address bar. @returns a function that stops following. */
export function followAddress(): () => void {
  const follow = () => {
    current.place = placeOf(location.hash)
  }
  follow()
  addEventListener('hashchange', follow)
  return () => removeEventListener('hashchange', follow)
}
