import { expect } from 'chai'
import { getCache, ignore, registerFunction, startCache, startNode, type Cache, type CacheNode, type CacheOptions, type Key, type WarmerOptions } from 'scatterhoard'
import { AttachedThread } from '../attached-thread.js'
import { rejected, until } from '../expectations.js'
import { watching } from '../watching/watch-functions.js'

const FUNCTIONS = [new URL('../functions.js', import.meta.url), new URL('../watching/watch-functions.js', import.meta.url)]

describe('warmers', () => {
  let node: CacheNode
  let cache: Cache<unknown>
  let count = 0

  before(async () => (node = await startNode({ name: 'warm', shardThreads: 1, functions: FUNCTIONS })))
  after(() => node.stop())
  afterEach(async () => cache.stop())

  const start = async (warmers: WarmerOptions[], options: CacheOptions = {}): Promise<void> => {
    cache = await node.startCache(`warm-${++count}`, { shards: 2, memory: '4mb', warmers, ...options })
  }

  it('that are required have put their pairs when the cache has started, in whatever form they return them', async () => {
    await start([
      { name: 'pairs', execute: watching.pairs, state: 3000, required: true },
      { name: 'map', execute: watching.map, required: true },
      { name: 'timed', execute: watching.pairsFor, state: { expire: '1h' }, required: true },
      { name: 'nothing', execute: watching.nothing, required: true },
    ])
    expect(await cache.size()).to.equal(3002)
    expect(await cache.get('warm:2999')).to.equal(2999)
    expect(cache.getSync({ a: 1 })).to.equal('by a key that is an object')
    expect(await cache.ttl('timed')).to.be.within(3_500_000, 3_600_000)
    expect(await cache.ttl('warm:1')).to.equal(null)
  })

  it('give pairs the cache\'s expiry, or their own, or none', async () => {
    await start([{ name: 'pairs', execute: watching.pairs, state: 1, required: true }, { name: 'timed', execute: watching.pairsFor, state: { expire: null }, required: true }], { expiration: { default: '10m' } })
    expect(await cache.ttl('warm:0')).to.be.within(500_000, 600_000)
    expect(await cache.ttl('timed')).to.equal(null)
  })

  it('that are not required run without being waited for, and their failures are nobody\'s', async () => {
    await start([{ name: 'pairs', execute: watching.pairs, state: 10 }, { name: 'fails', execute: watching.fails }])
    await until(async () => await cache.size() === 10, 'ten pairs')
  })

  it('that are required and fail fail the start with their error, and nothing is left behind', async () => {
    cache = await node.startCache('another', { shards: 1, memory: '1mb' })
    const startWith = (warmer: WarmerOptions): Promise<unknown> => node.startCache('failing', { shards: 1, memory: '1mb', functionTimeout: 200, warmers: [{ ...warmer, required: true }, { name: 'pairs', execute: watching.pairs, state: 5, required: true }] })
    const failure = await rejected(startWith({ name: 'fails', execute: watching.fails }), 'ERR_FUNCTION_FAILED')
    expect(failure).to.include({ function: 'watching.fails' }).and.to.have.property('message').that.includes('the source is down')
    expect(failure.cause).to.be.instanceOf(RangeError)
    expect(await rejected(startWith({ name: 'never', execute: watching.never }), 'ERR_FUNCTION_TIMEOUT')).to.include({ function: 'watching.never' })
    expect((await rejected(startWith({ name: 'bad', execute: watching.badPairs }), 'ERR_FUNCTION_FAILED')).message).to.include('pairs')
    expect(((await rejected(startWith({ name: 'key', execute: watching.badKey })))).code).to.equal('ERR_INVALID_KEY')
    await rejected(startWith({ name: 'unknown', execute: 'nobody.knows' }), 'ERR_UNKNOWN_FUNCTION')
    await rejected(Promise.resolve().then(() => node.getCache('failing')), 'ERR_NO_CACHE')
    expect((await node.tree()).children.map(({ id }) => id)).to.not.include('cache:failing')
    const started = await node.startCache('failing', { shards: 1, memory: '1mb' })
    expect(await started.size()).to.equal(0)
    await started.stop()
  })

  it('of the default node fail its start too, and leave no node behind', async () => {
    cache = await node.startCache('another', { shards: 1, memory: '1mb' })
    await rejected(startCache('default', { shards: 1, memory: '1mb', functions: FUNCTIONS, warmers: [{ name: 'fails', execute: watching.fails, required: true }] }), 'ERR_FUNCTION_FAILED')
    expect(() => getCache('default')).to.throw().with.property('code', 'ERR_NO_CACHE')
  })

  it('with an interval run again when it is over, by the node\'s clock, and go on after failures', async () => {
    node.clock.hold()
    try {
      let rounds = 0
      const round = registerFunction('warm.round', (state: string) => {
        rounds++
        if (rounds === 3) throw new Error('once')
        return [[state, rounds]]
      })
      await start([{ name: 'round', execute: round, state: 'round', interval: '1m', required: true }])
      expect(await cache.get('round')).to.equal(1)
      for (const expected of [2, 2, 4]) {
        const before = rounds
        node.clock.advance(59_000)
        await node.clockMoved()
        await cache.size()
        expect(rounds).to.equal(before)
        node.clock.advance(1000)
        await node.clockMoved()
        await until(async () => rounds === before + 1 && await cache.get('round') === expected, `round ${expected}`)
        // The next interval begins when the run is over, which its actor has to have heard of.
        await cache.warm({ only: [] })
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      round.unregister()
    } finally {
      node.clock.release()
    }
  })

  it('run when they are asked to: all, or those that are named; waited for or not', async () => {
    await start([{ name: 'pairs', execute: watching.pairs, state: 3 }, { name: 'map', execute: watching.map }])
    await until(async () => await cache.size() === 4, 'the first runs')
    await cache.clear()
    expect(await cache.warm({ wait: true })).to.deep.equal(['pairs', 'map'])
    expect(await cache.size()).to.equal(4)
    await cache.clear()
    expect(await cache.warm({ only: ['map'], wait: true })).to.deep.equal(['map'])
    expect(await cache.keys()).to.deep.equal([{ a: 1 }])
    expect(await cache.ask(['warm', { only: ['pairs'] }])).to.deep.equal(['pairs'])
    await until(async () => await cache.size() === 4, 'the pairs')
    await cache.clear()
    expect(cache.tell(['warm'])).to.equal(true)
    await until(async () => await cache.size() === 4, 'all')
    const thread = new AttachedThread()
    await thread.attach(cache)
    await cache.clear()
    expect(await thread.call(cache.name, 'warm', { wait: true })).to.deep.equal(['pairs', 'map'])
    expect(await cache.size()).to.equal(4)
    await thread.end()
  })

  it('that fail when they are waited for reject, when all are through', async () => {
    await start([{ name: 'fails', execute: watching.fails }, { name: 'pairs', execute: watching.pairs, state: 500 }])
    await until(async () => await cache.size() === 500, 'the first run')
    await cache.clear()
    const failure = await rejected(cache.warm({ wait: true }), 'ERR_FUNCTION_FAILED')
    expect(failure.cause).to.be.instanceOf(RangeError)
    expect(await cache.size()).to.equal(500)
    expect(await cache.warm({ only: ['fails'] })).to.deep.equal(['fails'])
  })

  it('refuse names and options that are wrong; a cache without warmers has none to run', async () => {
    await start([{ name: 'pairs', execute: watching.pairs, state: 1, required: true }])
    for (const options of [{ only: ['nobody'] }, { only: 'pairs' }, { only: [5] }, { wait: 'yes' }, { onyl: [] }]) await rejected(cache.warm(options as never), 'ERR_INVALID_ARGUMENT')
    expect(await cache.warm({ only: [] })).to.deep.equal([])
    await cache.stop()
    await start([])
    expect(await cache.warm({ wait: true })).to.deep.equal([])
  })

  it('run one at a time: who asks during a run gets the next', async () => {
    let running = 0
    let most = 0
    let runs = 0
    const slow = registerFunction('warm.slow', async () => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setTimeout(resolve, 20))
      running--
      return [['run', ++runs]]
    })
    await start([{ name: 'slow', execute: slow, required: true }])
    const first = cache.warm({ wait: true })
    const others = [cache.warm({ wait: true }), cache.warm({ wait: true })]
    await first
    expect(await cache.get('run')).to.be.within(2, 3)
    await Promise.all(others)
    expect(await cache.get('run')).to.equal(3)
    expect(most).to.equal(1)
    slow.unregister()
  })

  it('are no actions of callers: hooks and events hear nothing of what they put', async () => {
    const fill = registerFunction('warm.fill', () => [['a', 1]])
    await start([{ name: 'fill', execute: fill }])
    const events = cache.events({ actions: ['put', 'putMany', 'warm'] })
    await cache.warm({ wait: true })
    expect((await events.next()).value!.message).to.deep.equal(['warm', { wait: true }])
    await events.return()
    fill.unregister()
  })

  it('run on their thread if they are registered, with what only that thread has', async () => {
    const source = new Map<Key, unknown>([['ada', { name: 'Ada' }], ['bob', { name: 'Bob' }]])
    const load = registerFunction('warm.load', async (names: string[]) => (names.length === 0 ? ignore() : { pairs: names.map((name) => [name, source.get(name)]), expire: '1h' }))
    await start([{ name: 'load', execute: load, state: ['ada', 'bob'], required: true }, { name: 'none', execute: load, state: [], required: true }])
    expect(await cache.getMany(['ada', 'bob'])).to.deep.equal([{ name: 'Ada' }, { name: 'Bob' }])
    load.unregister()
  })

  it('that are required are not waited for again when the system thread was restarted: the entries are still there', async () => {
    let runs = 0
    const fill = registerFunction('warm.again', () => [['run', ++runs]])
    await start([{ name: 'fill', execute: fill, required: true }])
    await node.kill('system')
    expect(await cache.get('run')).to.equal(1)
    expect(await cache.warm({ wait: true })).to.deep.equal(['fill'])
    expect(await cache.get('run')).to.equal(2)
    expect(runs).to.equal(2)
    fill.unregister()
  })
})
