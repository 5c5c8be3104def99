import { expect, test } from 'vitest'
import { freshOutside, hasOutside } from '../support/outside.ts'
import { isWhole, startWith, tokenConfigs, viewOf } from '../support/small-office.ts'

test.skipIf(!hasOutside)(
  'fresh PCs with one token and one outside database become one office though they cannot hear each other: who is second at the database joins',
  async () => {
    const outside = await freshOutside()
    const configs = await tokenConfigs(['pc-1', 'pc-2'])
    const deaf = configs.map(config => ({
      ...config,
      database: { url: outside.url },
      cluster: { enabled: true, token: config.cluster?.token },
    }))
    const [first, second] = deaf
    if (!first || !second) throw new Error('two were asked for')
    // Each announces itself where the other does not listen.
    const groups = ['239.255.54.33', '239.255.54.34']
    const [one, two] = [first, second].map((config, index) => ({
      ...config,
      cluster: { ...config.cluster, discovery: { group: groups[index], port: 54_400 + index } },
    }))
    await using made = await startWith(one ?? {})
    await using joined = await startWith(two ?? {})
    await isWhole([made, joined])
    expect((await viewOf(joined)).nodes.map(({ name, database }) => `${name} ${database}`)).toEqual([
      'pc-1 outside',
      'pc-2 outside',
    ])
    expect(await joined.officeCa()).toBe(await made.officeCa())
  },
  120_000,
)
