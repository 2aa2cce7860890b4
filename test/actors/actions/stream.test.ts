import { expect } from 'chai'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { defineFunctions, startNode, type Cache, type CacheNode, type CacheOptions, type Entry } from 'scatterhoard'
import { compareKeys } from '../../../runtime/codec/key.js'
import { AttachedThread } from '../attached-thread.js'
import { expectTypeError, rejected, restartsOf, until } from '../expectations.js'
import { filters } from '../walks/walk-functions.js'

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of stream) all.push(item)
  return all
}

/** Keys of every kind, in the order of keys. */
const IN_ORDER = [
  null, false, true, -5, 0, 1.5, 300, NaN, -(2n ** 70n), 3n, new Date(0), new Date(5), '', '10', '9', 'Z', 'a', 'ab', 'é', new Uint8Array([1]), new Uint8Array([1, 0]), new Uint8Array([2]),
  [], ['a'], ['a', 1], ['b'], {}, { a: 1 }, { a: 2 }, { b: 0 },
]

describe('stream', () => {
  let node: CacheNode
  let caches = 0
  let thread: AttachedThread | undefined
  const shared = new Map<boolean, Cache<unknown>>()

  const start = (options: CacheOptions = {}): Promise<Cache<unknown>> =>
    node.startCache(`stream-${++caches}`, { shards: 3, memory: '24mb', expiration: { interval: null }, functions: [filters], supervision: { maxRestarts: 1000, backoff: { then: 0 } }, ...options })

  before(async () => {
    node = await startNode({ name: 'streams', shardThreads: 2 })
    node.clock.hold()
    for (const ordered of [false, true]) shared.set(ordered, await start({ ordered, functionTimeout: 200 }))
  })
  after(async () => {
    await thread?.end()
    await node.stop()
  })
  beforeEach(() => Promise.all([...shared.values()].map((cache) => cache.clear())))

  for (const ordered of [false, true]) {
    describe(ordered ? 'of an ordered cache' : 'of a cache', () => {
      /** The shared cache, with this many numbers. */
      const filled = async (entries = 0, cache = shared.get(ordered)!): Promise<Cache<unknown>> => {
        for (let n = 0; n < entries; n++) void cache.put(n, n)
        await cache.size()
        return cache
      }

      it('yields each entry with its times, whatever its key and value are', async () => {
        const cache = await filled()
        const values = [null, undefined, 'text', 1n, [1, , 3], new Map([['a', new Set([1])]]), new Date(7), Buffer.from('x'), new Error('kept')]  
        for (const [index, key] of IN_ORDER.entries()) await cache.put(key, values[index % values.length] ?? index, index % 3 === 0 ? { expire: 1000 + index } : {})
        const now = Math.floor(node.clock.now())
        const entries = await collect(cache.stream())
        expect(entries).to.have.lengthOf(IN_ORDER.length)
        const order = entries.map(({ key }) => IN_ORDER.findIndex((one) => compareKeys(one, key) === 0))
        expect([...order].sort((a, b) => a - b)).to.deep.equal(IN_ORDER.map((_, index) => index))
        if (ordered) expect(order).to.deep.equal(IN_ORDER.map((_, index) => index))
        for (const [at, index] of order.entries()) {
          const { value, ...times } = entries[at]!
          expect(Object.keys(entries[at]!)).to.deep.equal(['key', 'value', 'modified', 'expires'])
          expect(value).to.deep.equal(await cache.get(IN_ORDER[index]!))
          expect(times).to.deep.include({ modified: now, expires: index % 3 === 0 ? now + 1000 + index : null })
        }
      })

      it('sees what the same handle has written and not waited for', async () => {
        const cache = await filled()
        for (let n = 0; n < 2500; n++) void cache.put(n, n)
        expect(await collect(cache.stream({ select: 'key' }))).to.have.members(Array.from({ length: 2500 }, (_, n) => n))
        cache.tell(['put', 'told', 1])
        expect(await collect(cache.stream({ select: 'key' }))).to.include('told')
      })

      it('selects keys, values, times, and tuples', async () => {
        const cache = await filled()
        await cache.put('a', { n: 1 }, { expire: 500 })
        const { modified, expires } = (await collect(cache.stream()))[0]!
        expect(await collect(cache.stream({ select: 'key' }))).to.deep.equal(['a'])
        expect(await collect(cache.stream({ select: 'value' }))).to.deep.equal([{ n: 1 }])
        expect(await collect(cache.stream({ select: 'modified' }))).to.deep.equal([modified])
        expect(await collect(cache.stream({ select: 'expires' }))).to.deep.equal([expires])
        expect(await collect(cache.stream({ select: ['key', 'value'] }))).to.deep.equal([['a', { n: 1 }]])
        expect(await collect(cache.stream({ select: ['expires', 'key', 'key'] }))).to.deep.equal([[expires, 'a', 'a']])
        expect(await collect(cache.stream({ select: ['modified'], where: { value: { n: 1 } } }))).to.deep.equal([[modified]])
      })

      for (const batch of [1, 2, 7, 1000, 100_000]) {
        it(`gives the same in batches of ${batch}`, async () => {
          const cache = await filled(300)
          const keys = await collect(cache.stream({ batch, select: 'key' }))
          if (ordered) expect(keys).to.deep.equal(Array.from({ length: 300 }, (_, n) => n))
          else expect(keys).to.have.members(Array.from({ length: 300 }, (_, n) => n)).and.have.lengthOf(300)
          expect(await collect(cache.stream({ batch, select: 'key', where: filters.even }))).to.have.members(Array.from({ length: 150 }, (_, n) => n * 2)).and.have.lengthOf(150)
        })
      }

      it('meets what stays exactly once, and what comes and goes at most once, while others write', async () => {
        const cache = await filled(2000)
        const going = { on: true }
        let writes = 0
        const writer = (async () => {
          for (let round = 0; going.on; round++) {
            // Overwritten with values that need other blocks, and more and fewer of them.
            const n = (round * 7919) % 2000
            await Promise.all([
              cache.put(n, n % 3 === 0 ? [n, 'x'.repeat(round % 500)] : n), cache.put(`other ${round % 100}`, round), cache.del(`other ${(round * 31) % 100}`), cache.expire(n, round % 2 === 0 ? null : 1e6),
            ])
            writes++
          }
        })()
        for (let walk = 0; walk < 20; walk++) {
          const seen = new Map<unknown, number>()
          for await (const [key, value] of cache.stream({ select: ['key', 'value'], batch: 50 })) {
            seen.set(key, (seen.get(key) ?? 0) + 1)
            if (typeof key === 'number') expect(Array.isArray(value) ? (value as unknown[])[0] : value).to.equal(key)
          }
          expect([...seen.values()].every((times) => times === 1)).to.equal(true)
          for (let n = 0; n < 2000; n++) expect(seen.has(n), `${n} in walk ${walk}`).to.equal(true)
        }
        going.on = false
        await writer
        expect(writes).to.be.greaterThan(20)
      })

      it('leaves expired entries out, unless the query says so', async () => {
        const cache = await filled()
        await cache.put('stays', 1)
        await cache.put('late', 2, { expire: 5000 })
        await cache.put('gone', 3, { expire: 100 })
        node.clock.advance(100)
        const keys = (where?: object | string): Promise<unknown[]> => collect(cache.stream({ select: 'key', where: where as never }))
        expect(await keys()).to.have.members(['stays', 'late'])
        expect(await keys({})).to.have.members(['stays', 'late'])
        expect(await keys({ expired: false })).to.have.members(['stays', 'late'])
        expect(await keys({ expired: true })).to.deep.equal(['gone'])
        expect(await keys({ expired: 'any' })).to.have.members(['stays', 'late', 'gone'])
        expect(await keys({ expired: true, value: 1 })).to.deep.equal([])
        expect(await keys({ $not: { expired: true } })).to.have.members(['stays', 'late'])
        expect(await keys({ $or: [{ expired: true }, { key: 'stays' }] })).to.have.members(['stays', 'gone'])
        expect(await keys({ $or: [{ key: 'gone' }, { key: 'stays' }] })).to.deep.equal(['stays'])
        expect(await keys('filters.all')).to.have.members(['stays', 'late'])
      })

      it('with lazy: false shows expired entries as reads do, until they are swept', async () => {
        await using cache = await start({ ordered, expiration: { interval: null, lazy: false } })
        await cache.put('gone', 3, { expire: 100 })
        await cache.put('stays', 4)
        node.clock.advance(100)
        expect(await collect(cache.stream({ select: 'key' }))).to.have.members(['gone', 'stays'])
        expect(await collect(cache.stream({ select: 'key', where: filters.all }))).to.have.members(['gone', 'stays'])
        expect(await collect(cache.stream({ select: 'key', where: { value: { $gt: 2 } } }))).to.have.members(['gone', 'stays'])
        expect(await collect(cache.stream({ select: 'key', where: { expired: false } }))).to.deep.equal(['stays'])
        await cache.purge()
        expect(await collect(cache.stream({ select: 'key' }))).to.deep.equal(['stays'])
      })

      it('where a query says: by key, value, path and times', async () => {
        const cache = await filled()
        for (let n = 0; n < 50; n++) await cache.put(`user:${n}`, { age: n, address: { city: n % 2 === 0 ? 'London' : 'Paris' } }, n < 10 ? { expire: 1000 } : {})
        await cache.put('other', { age: 'old' })
        const ages = async (where: object): Promise<unknown[]> => (await collect(cache.stream({ where, select: 'value' }))).map((value) => (value as { age: unknown }).age)
        expect(await ages({ value: { age: { $gte: 18, $lt: 22 }, 'address.city': 'London' } })).to.have.members([18, 20])
        expect(await ages({ key: { $prefix: 'user:4' }, value: { age: { $ne: 40 } } })).to.have.members([4, 41, 42, 43, 44, 45, 46, 47, 48, 49])
        expect(await ages({ expires: { $gt: 0 }, value: { address: { city: 'Paris' } } })).to.have.members([1, 3, 5, 7, 9])
        expect(await ages({ value: { 'address.city': { $exists: false } } })).to.deep.equal(['old'])
        expect(await collect(cache.stream({ where: { key: { $in: ['other', 'user:3', 'nobody'] } }, select: 'key' }))).to.have.members(['other', 'user:3'])
      })

      it('where a function of a module says, which is called inside the shards with each entry', async () => {
        const cache = await filled(5000)
        const even = Array.from({ length: 2500 }, (_, n) => n * 2)
        const found = await collect(cache.stream({ where: filters.even, select: ['key', 'value'] }))
        if (ordered) expect(found).to.deep.equal(even.map((n) => [n, n]))
        else expect(found.map(([key]) => key)).to.have.members(even).and.have.lengthOf(2500)
        expect(await collect(cache.stream({ where: 'filters.none' }))).to.deep.equal([])
        expect(await collect(cache.stream({ where: filters.whole, select: 'key' }))).to.have.lengthOf(5000)
        const untouched = await collect(cache.stream({ where: filters.spoiling }))
        expect(untouched).to.have.lengthOf(5000)
        expect(untouched.every(({ key, value }) => key === value)).to.equal(true)
      })

      it('with a function and large values holds a few of them at a time', async () => {
        const cache = await filled()
        for (let n = 0; n < 200; n++) await cache.put(n, String(n).repeat(40_000).slice(0, 40_000))
        const found = await collect(cache.stream({ where: filters.all, select: ['key', 'value'] }))
        expect(found).to.have.lengthOf(200)
        for (const [key, value] of found as [number, string][]) expect(value).to.equal(String(key).repeat(40_000).slice(0, 40_000))
      })

      it('fails with the function: it throws, is unknown, is asynchronous, hangs or exits, and nothing else does', async () => {
        const cache = await filled()
        const fails = (where: unknown, code: string) => rejected(collect(cache.stream({ where: where as never })), code)
        await fails('filters.nobody', 'ERR_UNKNOWN_FUNCTION')
        await fails('constructor', 'ERR_UNKNOWN_FUNCTION')
        for (let n = 0; n < 100; n++) await cache.put(n, n)
        await cache.put('bad', 1)
        expect((await fails(filters.fail, 'ERR_FUNCTION_FAILED')).cause).to.include({ message: 'not this one', name: 'RangeError' })
        await fails('filters.later', 'ERR_ASYNC_FUNCTION')
        await fails((entry: Entry) => entry.key, 'ERR_FUNCTION_NOT_REGISTERED')
        await fails('filters.nobody', 'ERR_UNKNOWN_FUNCTION')
        for (const [where, code] of [['filters.hang', 'ERR_FUNCTION_TIMEOUT'], ['filters.exit', 'ERR_SHARD_CRASHED']] as const) {
          const before = await restartsOf(cache)
          await fails(where, code)
          await until(async () => await restartsOf(cache) > before, 'a restart')
          expect(await collect(cache.stream({ select: 'key' }))).to.have.lengthOf(101)
          expect(await cache.put('bad', 2)).to.equal(true)
        }
      })

      it('is the same on an attached thread', async () => {
        const cache = await filled(100)
        thread ??= new AttachedThread()
        await thread.attach(cache)
        const found = await thread.do({ do: 'collect', cache: cache.name, options: { select: 'key', where: { value: { $lt: 50 } } } }) as number[]
        expect(ordered ? found : found.sort((a, b) => a - b)).to.deep.equal(Array.from({ length: 50 }, (_, n) => n))
        expect(await thread.do({ do: 'collect', cache: cache.name, options: { select: 'key', where: 'filters.even' } })).to.have.lengthOf(50)
        expectTypeError(await rejected(thread.do({ do: 'collect', cache: cache.name, options: { where: { kee: 1 } } })))
      })

      it('ends when it is told to, and reads no further', async () => {
        const cache = await filled(3000)
        let seen = 0
        for await (const key of cache.stream({ select: 'key', batch: 10 })) {
          expect(key).to.be.a('number')
          if (++seen === 25) break
        }
        const stream = cache.stream({ batch: 10, where: filters.all })
        expect((await stream.next()).done).to.equal(false)
        expect(await stream.return()).to.deep.equal({ value: undefined, done: true })
        expect(await stream.next()).to.deep.equal({ value: undefined, done: true })
        expect(await cache.inspect('mailboxes')).to.satisfy((lanes: { outstanding: number }[]) => lanes.every(({ outstanding }) => outstanding === 0))
      })

      it('ends with the reason of its signal, also in the middle of a batch', async () => {
        const cache = await filled(100)
        for (const where of [undefined, filters.all]) {
          const controller = new AbortController()
          const stream = cache.stream({ signal: controller.signal, where: where as never })
          await stream.next()
          controller.abort(new RangeError('enough'))
          expect(await rejected(stream.next())).to.be.instanceOf(RangeError)
          expect(await stream.next()).to.deep.equal({ value: undefined, done: true })
          expect(await rejected(cache.stream({ signal: AbortSignal.abort('before') }).next())).to.equal('before')
        }
      })

      it('ends with ERR_STOPPED when the cache stops', async () => {
        const cache = await filled(3000, await start({ ordered }))
        const stream = cache.stream({ batch: 10 })
        const byFunction = cache.stream({ batch: 10, where: filters.all })
        await stream.next()
        await byFunction.next()
        await cache.stop()
        await rejected(collect(stream), 'ERR_STOPPED')
        await rejected(collect(byFunction), 'ERR_STOPPED')
        await rejected(cache.stream().next(), 'ERR_STOPPED')
      })
    })
  }

  it('keys are in order in an ordered cache', async () => {
    const cache = shared.get(true)!
    for (const key of [...IN_ORDER].reverse()) await cache.put(key, 1)
    expect(await cache.keys()).to.deep.equal(IN_ORDER)
    await cache.clear()
    const many = Array.from({ length: 30_000 }, (_, n) => n)
    for (const n of many) void cache.put((n * 7919) % 30_000, n)
    expect(await cache.keys()).to.deep.equal(many)
  })

  it('refuses what is wrong in its arguments at the first next, and takes options as they were', async () => {
    const cache = shared.get(false)!
    await cache.put('a', 1)
    const wrong: unknown[] = [
      null, 5, 'x', { wher: {} }, { timeout: 'soon' }, { timeout: -1 }, { signal: {} }, { select: 'keys' }, { select: [] }, { select: ['key', 'kee'] }, { select: null }, { select: '__proto__' },
      { batch: 0 }, { batch: -1 }, { batch: 1.5 }, { batch: '10' }, { batch: NaN }, { batch: Infinity }, { batch: 100_001 }, { batch: null }, { where: 5 }, { where: null }, { where: [] }, { where: '' }, { where: new Map() },
      { where: { expired: 'yes' } }, { where: { value: { age: { $gtt: 1 } } } },
    ]
    for (const options of wrong) expectTypeError(await rejected(cache.stream(options as never).next()))
    expect((await rejected(cache.stream({ where: { value: { age: { $gtt: 1 } } } }).next()))['path']).to.equal('where.value.age.$gtt')
    const options = { where: { key: 'a' }, select: ['key'] as ['key'] }
    const stream = cache.stream(options)
    options.where.key = 'b'
    options.select.pop()
    expect(await collect(stream)).to.deep.equal([['a']])
  })

  it('is no message', async () => {
    const cache = shared.get(false)!
    for (const name of ['stream', 'scan']) expectTypeError(await rejected(cache.ask([name] as never)))
  })

  it('does not hold up the writes of a shard while a slow function goes over its entries', async () => {
    await using cache = await start({ shards: 1 })
    for (let n = 0; n < 400; n++) void cache.put(n, n)
    await cache.size()
    const through = { is: false }
    const stream = collect(cache.stream({ where: filters.slow, select: 'key' })).finally(() => (through.is = true))
    const waits: number[] = []
    while (!through.is) {
      const start = performance.now()
      await cache.put('beside', waits.length)
      waits.push(performance.now() - start)
      await nextTurn()
    }
    expect((await stream).length).to.be.within(400, 401)
    // 400 entries take 400 ms or more in one go; in slices, many writes come between.
    expect(waits.length).to.be.greaterThan(40)
    expect(waits.sort((a, b) => a - b)[waits.length >> 1]).to.be.below(50)
  })

  it('turns the event loop between batches', async () => {
    await using cache = await start({ memory: '64mb' })
    for (let n = 0; n < 50_000; n++) void cache.put(n, n)
    await cache.size()
    let turns = 0
    const going = { on: true }
    const turn = (): void => {
      turns++
      if (going.on) setImmediate(turn)
    }
    setImmediate(turn)
    await collect(cache.stream({ select: 'key' }))
    going.on = false
    expect(turns).to.be.greaterThan(40)
  })

  it('does not confuse functions with modules that the caller alone has', async () => {
    const cache = shared.get(false)!
    await cache.put('a', 1)
    const here = defineFunctions('only-here', 'file:///nowhere.js', { yes: (_entry: Entry) => true })
    await rejected(collect(cache.stream({ where: here.yes })), 'ERR_UNKNOWN_FUNCTION')
  })
})
