import { expect } from 'chai'
import { startNode, type Cache, type CacheNode } from 'scatterhoard'
import { OVER_FAULTY_MEMORY, OVER_NATS, OVER_TCP, OVER_UNIX_SOCKETS, type Connected } from './bridge-ways.js'
import { keysOf } from './nodes.js'

for (const { title, connect } of [OVER_TCP, OVER_UNIX_SOCKETS, OVER_NATS, OVER_FAULTY_MEMORY]) {
  describe(`a cache on three nodes over ${title}`, function () {
    this.timeout(60_000)
    const names = ['a', 'b', 'c']
    let connected: Connected
    let nodes: CacheNode[]
    let caches: Cache<unknown>[]

    before(async () => {
      connected = await connect(names)
      nodes = await Promise.all(names.map((name) => startNode({ name, shardThreads: 1, connectTimeout: 20_000, bridge: connected.bridges[name]! })))
      caches = await Promise.all(nodes.map((node) => node.startCache('over', { nodes: names, shards: 1, memory: '32mb' })))
    })
    after(async () => {
      await Promise.all(nodes.map((node) => node.stop()))
      await connected.close()
    })

    it('has what is put on one on all, small and large, in the order of the calls', async () => {
      for (const owner of names) {
        const [key] = keysOf(caches[0]!, owner) as [string]
        for (const [index, cache] of caches.entries()) {
          const large = { by: index, text: 'x'.repeat(1_500_000) }
          const calls = [cache.put(key, large), cache.get(key), cache.put(key, index), cache.incr(key, 10)]
          expect((await Promise.all(calls))).to.deep.equal([true, large, true, index + 10])
          expect(await caches[(index + 1) % names.length]!.get(key)).to.equal(index + 10)
        }
      }
    })

    it('carries thousands of calls at a time, and walks over all of it', async () => {
      await Promise.all(Array.from({ length: 3000 }, (_, number) => caches[number % 3]!.put(number, `value ${number}`)))
      const values = await Promise.all(Array.from({ length: 3000 }, (_, number) => caches[(number + 1) % 3]!.get(number)))
      expect(values).to.deep.equal(Array.from({ length: 3000 }, (_, number) => `value ${number}`))
      const keys = new Set<unknown>()
      for await (const key of caches[2]!.stream({ where: { value: { $prefix: 'value' } }, select: 'key' })) keys.add(key)
      expect(keys.size).to.equal(3000)
      expect(await caches[1]!.clear()).to.be.at.least(3000)
    })
  })
}
