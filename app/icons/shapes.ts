/** The pictures of the tray as SVG: a lantern in the colour of the state, and in it, instead of the flame, a mark that says the same without colour. */
import type { Icon } from '../tray-state.ts'

/** Mid-tones that stand out on light panels and on dark ones; the mark's colour stands out on them. */
const colours: Record<Icon, { readonly fill: string; readonly mark: string }> = {
  ok: { fill: '#1f9d5c', mark: '#ffffff' },
  warn: { fill: '#f0a32f', mark: '#241503' },
  bad: { fill: '#d9372b', mark: '#ffffff' },
  off: { fill: '#7d8590', mark: '#ffffff' },
}
const waiting = '#2f7de1'

const marks: Record<Icon, string> = {
  ok: '<path d="M10 19.4l4.4 4.6 8-9.4"/>',
  warn: '<path d="M16 12.6v7"/><path d="M16 25.6v.1"/>',
  bad: '<path d="M11.2 14.2l9.600 9.600M20.800 14.200l-9.600 9.600"/>',
  off: '<path d="M9.800 19v.1M16 19v.1M22.200 19v.1"/>',
}

/** @param options.isTemplate black on nothing, for macOS, which colours it itself: the mark is cut out */
export function svgOf(icon: Icon, options: { isAwaited: boolean; isTemplate: boolean }): string {
  const { isAwaited, isTemplate } = options
  const { fill, mark } = isTemplate ? { fill: '#000', mark: 'none' } : colours[icon]
  const stroke = `fill="none" stroke-width="${icon === 'off' ? 4.6 : 4}" stroke-linecap="round" stroke-linejoin="round"`
  const drawn = `<g stroke="${mark}" ${stroke}>${marks[icon]}</g>`
  const cut = `<g stroke="#000" ${stroke}>${marks[icon]}</g>`
  // The dot keeps its distance from the lantern, whatever colour the panel has.
  const gap = isAwaited ? '<circle cx="25" cy="7" r="8.6" fill="#000"/>' : ''
  const dot = isAwaited ? `<circle cx="25" cy="7" r="6.4" fill="${isTemplate ? '#000' : waiting}"/>` : ''
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
<mask id="m"><rect width="32" height="32" fill="#fff"/>${isTemplate ? cut : ''}${gap}</mask>
<g mask="url(#m)" fill="${fill}"><path d="M11 7.500a5 5 0 0 1 10 0" fill="none" stroke="${fill}" stroke-width="2.600"/>
<rect x="8.500" y="6" width="15" height="8" rx="2.500"/><rect x="3.500" y="9.500" width="25" height="19" rx="7.500"/>
<rect x="7.500" y="24" width="17" height="7.500" rx="2.500"/>${isTemplate ? '' : drawn}</g>${dot}</svg>`
}
