import { expect } from 'chai'
import { startNode, type Cache, type CacheNode, type CacheStats } from 'scatterhoard'
import { AttachedThread } from '../attached-thread.js'
import { rejected, shardPaths } from '../expectations.js'

const FUNCTIONS = new URL('../functions.js', import.meta.url)

describe('stats', () => {
  let node: CacheNode
  let cache: Cache<unknown>

  before(async () => {
    node = await startNode({ name: 'stats', shardThreads: 1, functions: [FUNCTIONS] })
    node.clock.hold()
  })
  after(() => node.stop())
  beforeEach(async () => (cache = await node.startCache('counted', { shards: 2, memory: '2mb', stats: true, expiration: { interval: null }, supervision: { backoff: { then: 0 } } })))
  afterEach(() => cache.stop())

  it('are refused without the option', async () => {
    const plain = await node.startCache('plain', { shards: 1, memory: '1mb' })
    const error = await rejected(plain.stats(), 'ERR_STATS_DISABLED')
    expect(error).to.include({ cache: 'plain', outcome: 'none' })
    await plain.stop()
  })

  it('begin with the cache, at nothing', async () => {
    const stats = await cache.stats()
    expect(stats).to.deep.equal({ since: Math.floor(node.clock.now()), calls: {}, hits: 0, misses: 0, hitRate: 0, writes: 0, removals: 0, evictions: 0, expirations: 0 })
    await cache.put('a', 1)
    node.clock.advance(1000)
    expect((await cache.stats()).since).to.equal(stats.since)
  })

  it('count calls by action: methods, messages, what was told, the synchronous reads, but not those that were refused', async () => {
    await cache.put('a', 1)
    await cache.ask(['put', 'b', 2])
    cache.tell(['put', 'c', 3])
    cache.tell(['del', 'c'])
    await cache.get('a')
    await cache.getMany(['a', 'b'])
    await cache.incr('n')
    await cache.decr('n')
    await cache.persist('n')
    await cache.delMany(['a', 'b'])
    await cache.keys()
    await cache.inspect('cache')
    cache.getSync('a')
    for await (const _ of cache.stream()) break
    await rejected(cache.stream({ batch: 0 }).next(), 'ERR_INVALID_ARGUMENT')
    cache.existsSync('a')
    await rejected(cache.get(undefined as never), 'ERR_INVALID_KEY')
    await rejected(cache.put('a', 1, { expire: 'soon' }), 'ERR_INVALID_ARGUMENT')
    expect((await cache.stats()).calls).to.deep.equal({
      put: 3, del: 1, get: 1, getMany: 1, incr: 1, decr: 1, persist: 1, delMany: 1, keys: 1, inspect: 1, getSync: 1, existsSync: 1, stream: 1,
    })
  })

  /** What an act adds to the counters that are not calls. */
  async function adds(act: () => unknown): Promise<Partial<CacheStats>> {
    const before = await cache.stats()
    await act()
    const after = await cache.stats()
    const differences = (['hits', 'misses', 'writes', 'removals', 'evictions', 'expirations'] as const).map((name) => [name, after[name] - before[name]] as const)
    return Object.fromEntries(differences.filter(([, difference]) => difference !== 0))
  }

  it('count hits and misses, in shared memory and behind unanswered writes', async () => {
    await cache.put('a', null)
    expect(await adds(() => cache.get('a'))).to.deep.equal({ hits: 1 })
    expect(await adds(() => cache.get('x', { default: 5 }))).to.deep.equal({ misses: 1 })
    expect(await adds(() => cache.exists('a'))).to.deep.equal({ hits: 1 })
    expect(await adds(() => cache.exists('x'))).to.deep.equal({ misses: 1 })
    expect(await adds(() => cache.getMany(['a', 'x', 'a', 'y']))).to.deep.equal({ hits: 2, misses: 2 })
    expect(await adds(() => cache.getSync('a'))).to.deep.equal({ hits: 1 })
    expect(await adds(() => cache.getSync('x'))).to.deep.equal({ misses: 1 })
    expect(await adds(() => cache.existsSync('a'))).to.deep.equal({ hits: 1 })
    expect(await adds(() => cache.existsSync('x'))).to.deep.equal({ misses: 1 })
    expect(await adds(() => Promise.all([cache.put('b', 1), cache.get('b'), cache.exists('b'), cache.del('c'), cache.get('c'), cache.exists('c')]))).to.deep.equal({ writes: 1, hits: 2, misses: 2 })
    expect(await adds(() => cache.take('a'))).to.deep.equal({ hits: 1, removals: 1 })
    expect(await adds(() => cache.take('a'))).to.deep.equal({ misses: 1 })
    await cache.put('e', 1, { expire: 100 })
    node.clock.advance(200)
    expect(await adds(() => cache.get('e'))).to.deep.equal({ misses: 1 })
    const { hits, misses, hitRate } = await cache.stats()
    expect(hitRate).to.equal(hits / (hits + misses)).and.to.be.within(0.01, 0.99)
  })

  it('count writes by whatever action, and what callers remove', async () => {
    expect(await adds(() => cache.put('a', 1))).to.deep.equal({ writes: 1 })
    expect(await adds(() => cache.put('a', 2, { if: 'absent' }))).to.deep.equal({})
    expect(await adds(() => cache.update('a', 2))).to.deep.equal({ writes: 1 })
    expect(await adds(() => cache.update('x', 2))).to.deep.equal({})
    expect(await adds(() => cache.incr('a'))).to.deep.equal({ writes: 1 })
    expect(await adds(() => cache.decr('n'))).to.deep.equal({ writes: 1 })
    expect(await adds(() => cache.getAndUpdate('a', 'sums.add', { args: [1] }))).to.deep.equal({ writes: 1 })
    expect(await adds(() => cache.getAndUpdate('a', 'sums.seen'))).to.deep.equal({})
    expect(await adds(() => cache.touch('a'))).to.deep.equal({})
    expect(await adds(() => cache.expire('a', 0))).to.deep.equal({ removals: 1 })
    expect(await adds(() => cache.put('n', 1, { expire: -1 }))).to.deep.equal({ removals: 1 })
    await Promise.all(['a', 'b', 'c', 'd'].map((key) => cache.put(key, 1)))
    expect(await adds(() => cache.del('a'))).to.deep.equal({ removals: 1 })
    expect(await adds(() => cache.del('a'))).to.deep.equal({})
    expect(await adds(() => cache.delMany(['b', 'x']))).to.deep.equal({ removals: 1 })
    expect(await adds(() => cache.clear())).to.deep.equal({ removals: 2 })
  })

  it('count what expired and was removed, and what was evicted for room', async () => {
    for (let key = 0; key < 10; key++) await cache.put(key, key, { expire: 50 })
    node.clock.advance(100)
    expect(await adds(() => cache.purge())).to.deep.equal({ expirations: 10 })
    const puts = 4000
    const { evictions, writes } = await adds(() => Promise.all(Array.from({ length: puts }, (_, key) => cache.put(key, 'x'.repeat(2000)))))
    expect(writes).to.equal(puts)
    expect(evictions).to.equal(puts - await cache.size()).and.to.be.greaterThan(1000)
  })

  it('count on every thread, across crashes of shards and of the system thread', async () => {
    const thread = new AttachedThread()
    await thread.attach(cache)
    await thread.call('counted', 'put', 'a', 1)
    await cache.get('a')
    for (const path of [...await shardPaths(cache), 'system']) {
      await node.kill(path)
      await thread.call('counted', 'get', 'a')
      await cache.put('b', 1)
    }
    const stats = await thread.call('counted', 'stats') as CacheStats
    expect(stats).to.deep.include({ hits: 4, misses: 0, hitRate: 1, writes: 4 })
    expect(stats.calls).to.include({ put: 4, get: 4 })
    await thread.end()
  })
})
