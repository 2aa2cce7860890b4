import { expect } from 'chai'
import { registerFunction, type Cache } from 'scatterhoard'
import { rejected } from '../expectations.js'
import { loaders } from '../loading/loaders.js'
import { keysOf, startTogether, type Together } from './nodes.js'

describe('loads on several nodes', () => {
  const names = ['a', 'b', 'c']
  let together: Together
  let caches: Cache<unknown>[]
  let keys: Record<string, string[]>

  before(async () => {
    together = await startTogether(names, { pool: { threads: 1 } })
    // Gates that loaders wait for: all nodes have those of their own.
    for (const node of together.nodes) await (await node.startCache('counts', { shards: 1, memory: '1mb' })).put('gate:open', true)
    caches = await together.start('loads', { functions: [loaders] })
    keys = Object.fromEntries(names.map((name) => [name, keysOf(caches[0]!, name, 20)]))
  })
  after(() => together.stop())
  beforeEach(() => caches[0]!.clear())

  /** A key of a node that was not used before. */
  const next = (name: string): string => keys[name]!.shift()!

  /** Fetches each key on some node, with a registered loader that fetches the key behind it. All begin before one goes on. */
  async function fetchInTurn(all: readonly string[], links: Readonly<Record<string, string>>): Promise<unknown[]> {
    let begun = 0
    let go = (): void => undefined
    const gate = new Promise<void>((resolve) => (go = resolve))
    const through = registerFunction('loads.through', async (key: string): Promise<unknown> => {
      if (++begun === Object.keys(links).length) go()
      await gate
      return links[key] === undefined ? `end ${key}` : caches[begun % 3]!.fetch(links[key], 'loads.through')
    })
    try {
      return await Promise.all(all.map((key, index) => caches[index % 3]!.fetch(key, through as never, { timeout: 4000 })))
    } finally {
      through.unregister()
    }
  }

  it('that wait for each other in a circle fail with ERR_DEADLOCK, over two nodes and over three', async () => {
    for (const circle of [['a', 'b'], ['a', 'b', 'c'], ['a', 'a', 'b', 'b', 'c']]) {
      const all = circle.map(next)
      const links = Object.fromEntries(all.map((key, index) => [key, all[(index + 1) % all.length]!]))
      const begun = performance.now()
      await rejected(fetchInTurn(all, links), 'ERR_DEADLOCK')
      expect(performance.now() - begun, circle.join()).to.be.below(2500)
      for (const key of all) expect(await caches[0]!.get(key)).to.equal(undefined)
    }
  })

  it('of a module that wait in a circle fail so too', async () => {
    const [one, two] = [next('a'), next('b')]
    for (const cache of caches) await rejected(cache.fetch(one, loaders.through, { args: [two, 'open'], timeout: 4000 } as never), 'ERR_DEADLOCK')
  })

  it('that wait for each other, but not in a circle, have their values', async () => {
    const all = ['a', 'b', 'c', 'a', 'b', 'c'].map(next)
    const end = next('a')
    const links = Object.fromEntries(all.map((key, index) => [key, all[index + 1] ?? end]))
    // One of them is waited for twice.
    const more = next('c')
    expect(await fetchInTurn([...all, more], { ...links, [more]: all[3]! })).to.deep.equal([...all, more].map(() => `end ${end}`))
  })
})
