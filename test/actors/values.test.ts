import { expect } from 'chai'
import { registerClass, startNode, type Cache, type CacheNode, type Key } from 'scatterhoard'
import { isDeepStrictEqual } from 'node:util'
import { AttachedThread } from './attached-thread.js'
import { rejected, thrown } from './expectations.js'
import { Point } from './point.js'
import { EQUAL_KEYS, KEYS, NO_KEYS, REFUSED, VALUES } from './samples.js'

describe('keys and values', () => {
  let node: CacheNode
  let cache: Cache<unknown>
  let thread: AttachedThread

  before(async () => {
    node = await startNode({ shardThreads: 1, functions: [new URL('./functions.js', import.meta.url)] })
    cache = await node.startCache('values', { shards: 2, memory: '32mb' })
    thread = new AttachedThread()
    await thread.attach(cache)
  })
  after(async () => {
    await thread.end()
    await node.stop()
  })
  beforeEach(() => cache.clear())

  for (const [kind, value] of VALUES) {
    it(`keep ${kind}, read directly, through the shard and by getSync`, async () => {
      await cache.put('k', value)
      const expectCopy = (copy: unknown): void => {
        if (!isDeepStrictEqual(copy, value)) expect(copy).to.deep.equal(value)
        if (typeof value === 'object' && value !== null) expect(copy).not.to.equal(value)
      }
      expectCopy(await cache.get('k'))
      expectCopy(cache.getSync('k'))
      const put = cache.put('k', value)
      expectCopy(await cache.get('k'))
      await put
      expectCopy(await cache.take('k'))
    })
  }

  it('keep errors with class, name, message, code, cause and stack', async () => {
    const error = Object.assign(new RangeError('far', { cause: new TypeError('wrong') }), { code: 'E_FAR' })
    await cache.put('k', { error })
    const copy = (await cache.get('k') as { error: typeof error }).error
    expect(copy).to.be.instanceOf(RangeError).and.to.include({ name: 'RangeError', message: 'far', code: 'E_FAR', stack: error.stack })
    expect(copy.cause).to.be.instanceOf(TypeError).and.to.include({ message: 'wrong' })
  })

  for (const [kind, make, path] of REFUSED) {
    it(`refuse ${kind} at the call, naming where, and change nothing`, async () => {
      await cache.put('k', 'before')
      for (const act of [() => cache.put('k', make()), () => cache.update('k', make()), () => cache.ask(['put', 'k', make()])]) {
        const error = await rejected(act(), 'ERR_UNSUPPORTED_VALUE')
        expect(error.outcome).to.equal('none')
        if (typeof path === 'string') expect(error.message).to.include(path)
        else expect(error.message).to.match(path)
      }
      expect(thrown(() => cache.tell(['put', 'k', make()])).code).to.equal('ERR_UNSUPPORTED_VALUE')
      expect(await cache.get('k')).to.equal('before')
    })
  }

  it('every kind of key is a key of its own', async () => {
    for (const [index, key] of KEYS.entries()) expect(await cache.put(key, index, { if: 'absent' }), String(index)).to.equal(true)
    expect(await cache.size()).to.equal(KEYS.length)
    for (const [index, key] of KEYS.entries()) expect(await cache.get(key)).to.equal(index)
    const listed = await cache.keys()
    for (const key of KEYS) expect(listed.some((other) => isDeepStrictEqual(other, key)), JSON.stringify(key, (_, part: unknown) => typeof part === 'bigint' ? `${part}n` : part)).to.equal(true)
  })

  it('equal keys are one key', async () => {
    for (const [one, other] of EQUAL_KEYS) {
      await cache.put(one, 'value')
      expect(await cache.get(other)).to.equal('value')
      expect(await cache.del(other)).to.equal(true)
    }
    await cache.put('é', 1)
    expect(await cache.get('e\u0301'), 'composed and decomposed forms are two').to.equal(undefined)
  })

  it('anything else is ERR_INVALID_KEY, for every action: rejected, or thrown by tell and Sync', async () => {
    for (const wrong of NO_KEYS) {
      const key = wrong as Key
      for (const promise of [
        cache.get(key), cache.put(key, 1), cache.update(key, 1), cache.take(key), cache.del(key), cache.exists(key), cache.incr(key), cache.decr(key), cache.expire(key, 1),
        cache.expireAt(key, 1), cache.persist(key), cache.ttl(key), cache.refresh(key), cache.touch(key), cache.getMany([key]), cache.delMany([key]),
        cache.getAndUpdate(key, 'sums.double'), cache.inspect(['entry', key]), cache.ask(['get', key]),
      ]) expect((await rejected(promise, 'ERR_INVALID_KEY')).outcome).to.equal('none')
      for (const act of [() => cache.tell(['put', key, 1]), () => cache.getSync(key), () => cache.existsSync(key)]) thrown(act, 'ERR_INVALID_KEY')
    }
    expect(await cache.size()).to.equal(0)
  })

  it('the largest value is stored, and one byte more is ERR_TOO_LARGE', async () => {
    const small = await node.startCache<string>('small', { shards: 1, memory: '1mb' })
    const tooLarge = await rejected(small.put('k', 'x'.repeat(2 ** 20)), 'ERR_TOO_LARGE')
    const limit = tooLarge['limit'] as number
    let fits = limit - 64
    while (await small.put('k', 'x'.repeat(fits + 1)).then(() => true, () => false)) fits++
    await rejected(small.put('k', 'y'.repeat(fits + 1)), 'ERR_TOO_LARGE')
    expect(await small.get('k')).to.equal('x'.repeat(fits))
    await rejected(small.update('k', 'y'.repeat(fits + 1)), 'ERR_TOO_LARGE')
    await rejected(small.getAndUpdate('k', 'bad.huge', { args: [2 ** 20] }), 'ERR_TOO_LARGE')
    expect(thrown(() => small.tell(['put', 'k', 'x'.repeat(2 ** 20)])).code).to.equal('ERR_TOO_LARGE')
    expect(await small.get('k')).to.equal('x'.repeat(fits))
    await small.stop()
  })

  it('the largest key is stored, one byte more is ERR_TOO_LARGE to write and missing to read', async () => {
    let fits = 1000
    for (let step = 8192; step > 0; step >>= 1) while (await cache.put('k'.repeat(fits + step), 1).then(() => true, () => false)) fits += step
    expect(await cache.get('k'.repeat(fits))).to.equal(1)
    const size = await cache.size()
    for (const length of [fits + 1, 100_000, 5_000_000]) {
      const key = 'k'.repeat(length)
      const error = await rejected(cache.put(key, 1), 'ERR_TOO_LARGE')
      expect(error.outcome).to.equal('none')
      await rejected(cache.incr(key), 'ERR_TOO_LARGE')
      expect(await cache.get(key)).to.equal(undefined)
      expect(await cache.del(key)).to.equal(false)
    }
    expect(await cache.size()).to.equal(size)
  })

  it('values larger than a mailbox come and go whole, in order', async () => {
    const narrow = await node.startCache<string>('narrow', { shards: 1, memory: '32mb', mailbox: { bytes: 1024 } })
    const values = [1, 2, 3].map((n) => String(n).repeat(1_000_000))
    const puts = values.map((value) => narrow.put('k', value))
    puts.push(narrow.put('after', 'small'))
    expect(await narrow.get('k')).to.equal(values[2])
    await Promise.all(puts)
    expect(await narrow.take('k')).to.equal(values[2])
    await narrow.stop()
  })

  describe('whose getters and toData call the same cache', () => {
    it('in a value: both are stored', async () => {
      const value = { get inner() { void cache.put('nested', 'n'.repeat(300)); return cache.getSync('nested') ?? 'none' }, rest: 'x'.repeat(100) }
      await cache.put('outer', value)
      expect(await cache.get('nested')).to.equal('n'.repeat(300))
      expect(await cache.get('outer')).to.deep.include({ rest: 'x'.repeat(100) })
    })

    it('in a key', async () => {
      const key = { get part() { void cache.put('nested', 1); return 'p' } } as unknown as Key
      await cache.put(key, 'by key')
      expect(await cache.get({ part: 'p' })).to.equal('by key')
      expect(await cache.get('nested')).to.equal(1)
    })

    it('in the arguments of a function', async () => {
      const args = [{ get value() { void cache.put('nested', 'a longer one'); return 5 } }]
      await rejected(cache.getAndUpdate('k', 'no.function', { args }), 'ERR_UNKNOWN_FUNCTION')
      await cache.getAndUpdate('list', 'sums.push', { args })
      expect(await cache.get('list')).to.deep.equal([{ value: 5 }])
      expect(await cache.get('nested')).to.equal('a longer one')
    })

    it('in options', async () => {
      const options = { get expire() { void cache.put('nested', 'from options'); return 60_000 }, get timeout() { void cache.put('nested too', 1); return 1000 } }
      await cache.put('k', 'value', options)
      expect(await cache.getMany(['k', 'nested', 'nested too'])).to.deep.equal(['value', 'from options', 1])
      expect(await cache.ttl('k')).to.be.within(50_000, 60_000)
      await cache.del('x', { get timeout() { void cache.put('nested', 2); return 1000 } })
      expect(await cache.getMany(['k', 'nested'])).to.deep.equal(['value', 2])
    })

    it('in a tell', async () => {
      expect(cache.tell(['put', 'told', { get v() { void cache.incr('count'); return 1 } }])).to.equal(true)
      expect(await cache.get('told')).to.deep.equal({ v: 1 })
      expect(await cache.get('count')).to.equal(1)
    })
  })

  describe('of registered classes', () => {
    before(() => registerClass('Point', Point, { toData: ({ x, y }) => [x, y], fromData: ([x, y]) => new Point(x!, y!) }))

    it('come back as instances here, and are ERR_UNKNOWN_CLASS where nobody registered them', async () => {
      await cache.put('p', [new Point(1, 2)])
      await cache.put('q', new Point(3, 4))
      expect((await cache.get('p') as Point[])[0]).to.be.instanceOf(Point).and.to.include({ x: 1, y: 2 })
      await rejected(thread.call('values', 'get', 'q'), 'ERR_UNKNOWN_CLASS')
      expect((await rejected(cache.getAndUpdate('q', 'sums.seen'), 'ERR_UNKNOWN_CLASS')).outcome).to.equal('none')
      await thread.do({ do: 'register' })
      expect(await thread.call('values', 'get', 'q')).to.equal('Point(3, 4)')
      expect(await cache.get('q')).to.be.instanceOf(Point)
    })

    it('a toData that throws or calls the cache concerns its own call only', async () => {
      class Odd { readonly odd = true }
      registerClass('Odd', Odd, { toData: () => { void cache.put('nested', 'odd'); return cache.getSync('missing') ?? 1 }, fromData: () => new Odd() })
      await cache.put('odd', new Odd())
      expect(await cache.get('odd')).to.be.instanceOf(Odd)
      expect(await cache.get('nested')).to.equal('odd')
      class Failing { readonly failing = true }
      registerClass('Failing', Failing, { toData: () => { throw new Error('no data') }, fromData: () => new Failing() })
      const error = await rejected(cache.put('f', { a: new Failing() }), 'ERR_UNSUPPORTED_VALUE')
      expect(error.message).to.include('.a')
      expect((error.cause as Error).message).to.equal('no data')
      expect(await cache.exists('f')).to.equal(false)
    })
  })

  it('what a stored value came from can change afterwards, and so can what was read', async () => {
    const value = { list: [1] }
    const put = cache.put('k', value)
    value.list.push(2)
    await put
    const first = await cache.get('k') as typeof value
    expect(first.list).to.deep.equal([1])
    first.list.push(3)
    expect(await cache.get('k')).to.deep.equal({ list: [1] })
  })
})
