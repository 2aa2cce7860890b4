import { expect } from 'chai'
import { startNode, type Cache, type CacheEvent, type CacheEvents, type CacheNode } from 'scatterhoard'
import { callerOf } from '../../../actors/cache.js'
import { AttachedThread } from '../attached-thread.js'
import { rejected, until } from '../expectations.js'

const FUNCTIONS = [new URL('../functions.js', import.meta.url)]

type AnyCache = Cache<unknown>

/** The next so many events. */
async function take(events: CacheEvents<unknown>, count: number): Promise<CacheEvent<unknown>[]> {
  const taken: CacheEvent<unknown>[] = []
  while (taken.length < count) {
    const { done, value } = await events.next()
    if (done === true) break
    taken.push(value)
  }
  return taken
}

const messages = (events: CacheEvent<unknown>[]): unknown[] => events.map(({ message }) => message)

describe('events', () => {
  let node: CacheNode
  let cache: AnyCache
  let count = 0

  before(async () => (node = await startNode({ name: 'eventful', shardThreads: 1, functions: FUNCTIONS })))
  after(() => node.stop())
  beforeEach(async () => (cache = await node.startCache(`eventful-${++count}`, { shards: 1, memory: '2mb', expiration: { interval: null } })))
  afterEach(() => cache.stop())

  it('are message, result and time of what is done, from the call on, one after the other', async () => {
    const events = cache.events()
    const before = Math.floor(node.clock.now())
    await cache.put('a', { n: 1 }, { expire: '1h', timeout: 1000 })
    await cache.incr('n')
    cache.getSync('a')
    await rejected(cache.incr('a'), 'ERR_NON_NUMERIC_VALUE')
    const [put, incr, get, failed] = await take(events, 4) as [CacheEvent<unknown>, CacheEvent<unknown>, CacheEvent<unknown>, CacheEvent<unknown>]
    expect([put.message, put.result]).to.deep.equal([['put', 'a', { n: 1 }, { expire: '1h' }], true])
    expect([incr.message, incr.result]).to.deep.equal([['incr', 'n', 1], 1])
    expect([get.message, get.result]).to.deep.equal([['get', 'a'], { n: 1 }])
    expect(failed.message).to.deep.equal(['incr', 'a', 1])
    expect(failed.result).to.be.instanceOf(Error).and.to.include({ code: 'ERR_NON_NUMERIC_VALUE' })
    for (const { at } of [put, incr, get, failed]) expect(Number.isInteger(at) && at >= before && at <= node.clock.now()).to.equal(true)
    await events.return()
  })

  it('are only those asked for, and none of calls with notify: false', async () => {
    const events = cache.events({ actions: ['del', 'put'] })
    await cache.put('a', 1)
    await cache.get('a')
    await cache.put('b', 1, { notify: false })
    await cache.del('a')
    expect(messages(await take(events, 2))).to.deep.equal([['put', 'a', 1], ['del', 'a']])
    await events.return()
  })

  it('come to every subscriber, on every thread, of what is done on every thread', async () => {
    const thread = new AttachedThread()
    await thread.attach(cache)
    await thread.do({ do: 'subscribe', cache: cache.name, options: { actions: ['put'] } })
    const mine = [cache.events({ actions: ['put'] }), cache.events({ actions: 'all' })]
    await cache.put('here', 1)
    await thread.call(cache.name, 'put', 'there', 2)
    const expected = [['put', 'here', 1], ['put', 'there', 2]]
    for (const events of mine) expect(messages(await take(events, 2))).to.deep.equal(expected)
    expect(await thread.do({ do: 'events', cache: cache.name, count: 2 })).to.deep.equal(expected)
    await thread.end()
    await cache.put('later', 3)
    expect(messages(await take(mine[0]!, 1))).to.deep.equal([['put', 'later', 3]])
    for (const events of mine) await events.return()
  })

  it('are kept up to the buffer; what comes on top is dropped and counted', async () => {
    const events = cache.events({ actions: ['put'], buffer: 10 })
    for (let index = 0; index < 100; index++) await cache.put('k', index)
    // Behind what was told of the puts: whoever takes events meanwhile makes room for more.
    await cache.inspect('hooks')
    expect(messages(await take(events, 10)).map((message) => (message as unknown[])[2])).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    await until(() => events.dropped === 90, '90 dropped events')
    await cache.put('k', 'after')
    expect(messages(await take(events, 1))).to.deep.equal([['put', 'k', 'after']])
    await events.return()
  })

  it('come in order, many of them, however fast they are asked for', async () => {
    const events = cache.events({ actions: ['put'], buffer: 5000 })
    const puts = Promise.all(Array.from({ length: 3000 }, (_, index) => cache.put(index, index)))
    const taken: unknown[] = []
    for await (const { message } of events) {
      taken.push(message[1])
      if (taken.length === 3000) break
    }
    await puts
    expect(taken).to.deep.equal(Array.from({ length: 3000 }, (_, index) => index))
    expect(events.dropped).to.equal(0)
    expect(await events.next()).to.deep.equal({ done: true, value: undefined })
  })

  it('answer several that wait, in order', async () => {
    const events = cache.events({ actions: ['put'] })
    const three = Promise.all([events.next(), events.next(), events.next()])
    for (const key of ['a', 'b', 'c']) await cache.put(key, 1)
    expect((await three).map(({ value }) => value!.message[1])).to.deep.equal(['a', 'b', 'c'])
    await events.return()
  })

  it('end when the subscriber ends them, when the signal is aborted, and when the cache stops', async () => {
    const returned = cache.events()
    const waiting = returned.next()
    await returned.return()
    expect(await waiting).to.deep.equal({ done: true, value: undefined })
    const aborting = new AbortController()
    const aborted = cache.events({ signal: aborting.signal })
    const next = aborted.next()
    aborting.abort(new Error('enough'))
    expect((await rejected(next)).message).to.equal('enough')
    expect(await aborted.next()).to.deep.equal({ done: true, value: undefined })
    const stopped = cache.events({ actions: ['put'] })
    await cache.put('last', 1)
    await cache.stop()
    expect(messages(await take(stopped, 5))).to.deep.equal([['put', 'last', 1]])
    expect(await stopped.next()).to.deep.equal({ done: true, value: undefined })
    await rejected(cache.events().next(), 'ERR_STOPPED')
  })

  it('that nobody wants any more cost nothing', async () => {
    const watched = (): boolean => callerOf(cache).watch.words.some((word) => word !== 0)
    const events = [cache.events({ actions: ['get'] }), cache.events({ actions: ['get', 'put'] })]
    await cache.put('a', 1)
    expect(watched()).to.equal(true)
    for (const one of events) await one.return()
    await until(() => !watched(), 'nothing watched')
  })

  it('go on when the system thread was restarted', async () => {
    const events = cache.events({ actions: ['put'] })
    await cache.put('a', 1)
    expect(messages(await take(events, 1))).to.deep.equal([['put', 'a', 1]])
    await node.kill('system')
    const next = events.next()
    let got: CacheEvent<unknown> | undefined
    void next.then(({ value }) => (got = value))
    await until(async () => {
      await cache.put('b', 2)
      return got !== undefined
    }, 'an event')
    expect(got!.message).to.deep.equal(['put', 'b', 2])
    await events.return()
  })

  it('refuse options that are wrong at the first event', async () => {
    for (const options of [{ actions: 'put' }, { actions: ['putt'] }, { actions: [5] }, { buffer: 0 }, { buffer: 1.5 }, { buffer: 2_000_000 }, { bufer: 5 }, null, 5]) {
      const events = cache.events(options as never)
      await rejected(events.next(), 'ERR_INVALID_ARGUMENT')
      expect(await events.next()).to.deep.equal({ done: true, value: undefined })
    }
  })
})
