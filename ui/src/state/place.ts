/** Where we are: `/people` and what stands behind its `?`. */
export interface Place {
  readonly path: string
  readonly query: URLSearchParams
}

/** Reads a hash: `#/people?find=anna` → path `/people`, query `find=anna`. Anything odd is the start page `/`. */
export function placeOf(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?', 2)
  return { path: path.startsWith('/') ? path : '/', query: new URLSearchParams(query) }
}
