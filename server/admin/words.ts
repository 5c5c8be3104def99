/** Numbers and counts as people read them. */

/** `61000000000` → `61 GB`. */
export function readableBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB']
  const step = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1000 ** step
  return `${value < 10 && step > 0 ? value.toFixed(1) : Math.round(value)} ${units[step]}`
}

/** `10:04`, with the day when it was or is another one. Both are milliseconds since 1970. */
export function timeOf(at: number, now: number): string {
  const date = new Date(at)
  const two = (number: number): string => String(number).padStart(2, '0')
  const time = `${two(date.getHours())}:${two(date.getMinutes())}`
  if (date.toDateString() === new Date(now).toDateString()) return time
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`
}

/** `3 devices moved to other PCs; 1 device had to connect again`. */
export function handedOver({ moved, left }: { moved: number; left: number }): string {
  const rest = left > 0 ? `; ${counted(left, 'device')} had to connect again` : ''
  return `${counted(moved, 'device')} moved to other PCs${rest}`
}

/** `1, 'contact'` → `1 contact`; `3, 'contact'` → `3 contacts`. */
export function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`
}
