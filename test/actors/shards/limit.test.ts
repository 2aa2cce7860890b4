import { expect } from 'chai'
import { startNode, type Cache, type CacheNode, type CacheOptions } from 'scatterhoard'
import { POLICIES } from '../../../runtime/table/policies/policy-names.js'
import { rejected, shardPaths, until } from '../expectations.js'

describe('a limit of entries', () => {
  let node: CacheNode

  before(async () => {
    node = await startNode({ name: 'limit', shardThreads: 1 })
  })
  after(() => node.stop())

  async function within(options: CacheOptions, act: (cache: Cache<unknown>) => Promise<void>): Promise<void> {
    const cache = await node.startCache('limited', { shards: 1, memory: '2mb', expiration: { interval: null }, supervision: { backoff: { then: 0 } }, ...options })
    try {
      await act(cache)
    } finally {
      await cache.stop()
    }
  }

  async function fill(cache: Cache<unknown>, from: number, to: number): Promise<void> {
    for (let key = from; key < to; key++) await cache.put(key, key)
  }

  const keysOf = async (cache: Cache<unknown>): Promise<number[]> => (await cache.keys() as number[]).sort((a, b) => a - b)

  for (const policy of POLICIES.filter((name) => name !== 'none')) {
    it(`is never exceeded with ${policy}, also by an attached caller’s messages and after a crash`, () => within({ limit: { policy, entries: 20 } }, async (cache) => {
      await fill(cache, 0, 20)
      expect(await cache.size()).to.equal(20)
      await fill(cache, 20, 60)
      expect(await cache.size()).to.equal(20)
      expect(await cache.exists(59)).to.equal(true)
      await node.kill((await shardPaths(cache))[0]!)
      await fill(cache, 60, 70)
      await cache.incr('counter')
      cache.tell(['put', 'told', 1])
      expect(await cache.size()).to.equal(20)
      expect(await cache.get('told')).to.equal(1)
    }))
  }

  it('with none refuses what is new, and takes what is there', () => within({ limit: { policy: 'none', entries: 3 } }, async (cache) => {
    await fill(cache, 0, 3)
    const error = await rejected(cache.put(3, 3), 'ERR_FULL')
    expect(error).to.include({ entries: 3, limit: 3, outcome: 'none' })
    await rejected(cache.incr('n'), 'ERR_FULL')
    expect(await cache.put(1, 'again')).to.equal(true)
    expect(await cache.touch(0)).to.equal(true)
    expect(await cache.del(2)).to.equal(true)
    expect(await cache.put(3, 3)).to.equal(true)
    expect(await keysOf(cache)).to.deep.equal([0, 1, 3])
  }))

  it('is divided over the shards, of which each keeps an entry at least', async () => {
    await within({ shards: 3, limit: { policy: 'fifo', entries: 10 } }, async (cache) => {
      await fill(cache, 0, 200)
      expect((await cache.inspect('shards')).map(({ entries }) => entries)).to.deep.equal([4, 3, 3])
    })
    await within({ shards: 3, limit: { policy: 'fifo', entries: 2 } }, async (cache) => {
      await fill(cache, 0, 200)
      expect(await cache.size()).to.equal(3)
    })
  })

  it('is undercut by what is to be reclaimed', () => within({ limit: { policy: 'lrw', entries: 10, reclaim: 0.35 } }, async (cache) => {
    await fill(cache, 0, 10)
    expect(await cache.size()).to.equal(10)
    await cache.put(10, 10)
    // 10 − 3.5, of which there are no halves.
    expect(await keysOf(cache)).to.deep.equal([5, 6, 7, 8, 9, 10])
    await fill(cache, 11, 15)
    expect(await cache.size()).to.equal(10)
    await cache.put(15, 15)
    expect(await keysOf(cache)).to.deep.equal([10, 11, 12, 13, 14, 15])
  }))

  async function advance(ms: number): Promise<void> {
    node.clock.advance(ms)
    await node.clockMoved()
  }

  it('may be looked at from time to time: until then there are more', async () => {
    node.clock.hold()
    await within({ shards: 2, limit: { policy: 'lrw', entries: 10, reclaim: 0.2, check: { every: '2s' } } }, async (cache) => {
      await fill(cache, 0, 100)
      expect(await cache.size()).to.equal(100)
      await advance(1900)
      await fill(cache, 100, 102)
      expect(await cache.size()).to.equal(102)
      await advance(200)
      await until(async () => await cache.size() === 8, 'as many are left as are to be kept')
      expect((await cache.inspect('shards')).map(({ entries }) => entries)).to.deep.equal([4, 4])
      expect((await cache.inspect('tree')).children.map(({ id }) => id)).to.include('limit')
    })
    node.clock.release()
  })

  it('counts evictions, and prunes too', () => within({ limit: { policy: 'fifo', entries: 10 }, stats: true }, async (cache) => {
    await fill(cache, 0, 15)
    expect((await cache.stats()).evictions).to.equal(5)
    await cache.prune(4, { reclaim: 0 })
    expect((await cache.stats()).evictions).to.equal(11)
  }))

  it('lets reads count: what was read stays with lru, s3-fifo and w-tinylfu', async () => {
    for (const policy of ['lru', 's3-fifo', 'w-tinylfu'] as const) {
      await within({ limit: { policy, entries: 50 } }, async (cache) => {
        await fill(cache, 0, 50)
        for (let key = 0; key < 5; key++) for (let reads = 0; reads < 3; reads++) cache.getSync(key)
        for (let round = 0; round < 20; round++) {
          for (let key = 0; key < 5; key++) expect(await (round % 2 === 0 ? cache.get(key) : cache.getSync(key)), `${policy}: ${key} in round ${round}`).to.equal(key)
          await fill(cache, 100 + round * 10, 110 + round * 10)
        }
      })
    }
  })

  it('lets reads count that went through the shard', () => within({ limit: { policy: 'lru', entries: 10 } }, async (cache) => {
    await fill(cache, 0, 10)
    for (let key = 10; key < 40; key++) {
      void cache.update(0, key)
      expect(await cache.get(0)).to.equal(key)
      await cache.put(key, key)
    }
  }))
})

describe('prune', () => {
  let node: CacheNode

  before(async () => {
    node = await startNode({ name: 'prune', shardThreads: 2 })
  })
  after(() => node.stop())

  it('removes what was written first over all shards, though it was within one millisecond', async () => {
    node.clock.hold()
    const cache = await node.startCache<number>('pruned', { shards: 4, memory: '8mb', expiration: { interval: null } })
    for (let key = 0; key < 100; key++) await cache.put(key, key)
    for (let key = 10; key < 20; key++) await cache.touch(key)
    node.clock.release()
    expect(await cache.prune(50, { reclaim: 0.5 })).to.equal(75)
    const left = await cache.keys() as number[]
    expect(left).to.have.lengthOf(25)
    await cache.stop()
  })

  it('keeps those written last, exactly, where time goes on', async () => {
    const cache = await node.startCache<number>('pruned', { shards: 4, memory: '8mb', expiration: { interval: null } })
    for (let key = 0; key < 500; key++) await cache.put(key, key)
    for (let key = 0; key < 10; key++) await cache.touch(key)
    expect(await cache.prune(100)).to.equal(410)
    expect((await cache.keys() as number[]).sort((a, b) => a - b)).to.deep.equal([...Array.from({ length: 10 }, (_, key) => key), ...Array.from({ length: 80 }, (_, index) => 420 + index)])
    await cache.stop()
  })

  it('told, it is done without a reply', async () => {
    const cache = await node.startCache<number>('pruned', { shards: 2, memory: '2mb' })
    for (let key = 0; key < 100; key++) await cache.put(key, key)
    expect(cache.tell(['prune', 10])).to.equal(true)
    await until(async () => await cache.size() === 9, 'it is done')
    await cache.stop()
  })

  it('leaves what is written while it runs, and takes an abort and a timeout', async () => {
    const cache = await node.startCache<number>('pruned', { shards: 2, memory: '32mb' })
    await Promise.all(Array.from({ length: 50_000 }, (_, key) => cache.put(key, key)))
    const pruned = cache.prune(1000, { reclaim: 0 })
    await Promise.all(Array.from({ length: 100 }, (_, key) => cache.put(`new ${key}`, key)))
    await pruned
    for (let key = 0; key < 100; key++) expect(await cache.exists(`new ${key}`)).to.equal(true)
    const reason = new Error('enough')
    expect(await rejected(cache.prune(0, { signal: AbortSignal.abort(reason) }))).to.equal(reason)
    await cache.stop()
    await rejected(cache.prune(0), 'ERR_STOPPED')
  })
})
