/** English plurals. */
const plural = new Intl.PluralRules('en')

/** `3 people`: the number with the word that fits it. */
export const many = (n: number, one: string, other: string): string =>
  `${new Intl.NumberFormat('en').format(n)} ${plural.select(n) === 'one' ? one : other}`
/** `1 person`, `2 people`. */
export const peopleOf = (n: number): string => many(n, 'person', 'people')
/** `1 device`, `2 devices`. */
export const devicesOf = (n: number): string => many(n, 'device', 'devices')
