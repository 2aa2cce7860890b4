import { expect } from 'chai'
import { registerFunction, type Cache, type Transaction } from 'scatterhoard'
import { AttachedThread } from '../attached-thread.js'
import { rejected, until } from '../expectations.js'
import { inside, type Step } from './transaction-functions.js'
import { TransactionSetting } from './transaction-setting.js'

/** A call that takes the key `k` of a cache, and a call that does not. */
const KEYED: readonly Step[] = [
  ['get', 'k'], ['put', 'k', 1], ['update', 'k', 1], ['take', 'k'], ['del', 'k'], ['exists', 'k'], ['incr', 'k'], ['decr', 'k'], ['expire', 'k', 1000], ['expireAt', 'k', new Date(1e14)],
  ['persist', 'k'], ['ttl', 'k'], ['refresh', 'k'], ['touch', 'k'], ['getMany', ['k']], ['putMany', [['k', 1]]], ['delMany', ['k']],
  ['fetch', 'k', 'inside.nothing'], ['getAndUpdate', 'k', 'sums.add', { args: [1] }], ['invoke', 'length', 'k'], ['transaction', ['k'], 'inside.nothing'],
]
const WHOLE: readonly Step[] = [
  ['size'], ['keys'], ['clear'], ['isEmpty'], ['purge'], ['prune', 1], ['reset'], ['execute', 'inside.nothing'], ['export'], ['import', []], ['dump', '/nowhere'], ['load', '/nowhere'],
  ['inspect', 'cache'], ['stats'], ['warm'],
]

describe('transaction', () => {
  const setting = new TransactionSetting('transactions')
  let cache: Cache<unknown>
  let gates: Cache<unknown>
  beforeEach(() => ({ cache, gates } = setting))
  const steps = (keys: readonly string[], ...args: Step[]): Promise<unknown[]> => setting.steps(keys, ...args)
  const codes = (keys: readonly string[], ...args: Step[]): Promise<unknown[]> => setting.codes(keys, ...args)
  const paused: TransactionSetting['paused'] = (...args) => setting.paused(...args)

  describe('its function', () => {
    it('gets the transaction and the arguments, and what it returns is the result', async () => {
      expect(await cache.transaction(['a'], inside.echo, { args: [1, { deep: [2n] }] })).to.deep.equal([1, { deep: [2n] }])
      expect(await cache.transaction(['a'], 'inside.nothing')).to.equal(undefined)
      expect(await cache.transaction(['a'], 'inside.ignored')).to.equal(5)
      expect(await cache.ask(['transaction', ['a'], inside.echo, { args: [3] }])).to.deep.equal([3])
      await cache.put('a', 1)
      await cache.put('b', 2)
      expect(await (cache as Cache<number>).transaction(['a', 'b'], inside.sum, { args: [['a', 'b']] })).to.equal(3)
    })

    it('may be told, and is carried out', async () => {
      expect(cache.tell(['transaction', ['a'], inside.steps, { args: [['put', 'a', 'told']] }])).to.equal(true)
      await until(async () => await cache.get('a') === 'told', 'the transaction')
    })

    it('has the actions on keys, each with the result that it has outside', async () => {
      await cache.put('k', 1)
      const results = await steps(['k', 'm'],
        ['get', 'k'], ['getMany', ['k', 'm']], ['exists', 'k'], ['put', 'k', 2], ['put', 'k', 3, { if: 'absent' }], ['update', 'k', 4], ['update', 'm', 4], ['incr', 'k', 2], ['decr', 'k'],
        ['expire', 'k', 60_000], ['persist', 'k'], ['touch', 'k'], ['refresh', 'm'], ['ttl', 'k'], ['ttl', 'm'], ['getAndUpdate', 'k', 'sums.add', { args: [10] }], ['putMany', [['m', 'x']]], ['take', 'm'], ['take', 'm'],
        ['delMany', ['k', 'm']], ['del', 'k'])
      expect(results).to.deep.equal([1, [1, undefined], true, true, false, true, false, 6, 5, true, true, true, false, null, undefined, 15, undefined, 'x', undefined, 1, false])
      expect(await cache.getMany(['k', 'm'])).to.deep.equal([undefined, undefined])
    })

    it('refuses every action on another key than those listed with ERR_KEY_NOT_LOCKED, and nothing of it happens', async () => {
      await cache.put('k', 'kept')
      expect(await codes(['other'], ...KEYED)).to.deep.equal(KEYED.map(() => 'ERR_KEY_NOT_LOCKED'))
      expect(await codes(['k'], ['getMany', ['k', 'other']], ['putMany', [['k', 2], ['other', 2]]], ['delMany', ['k', 'other']])).to.deep.equal(new Array(3).fill('ERR_KEY_NOT_LOCKED'))
      expect(await cache.getMany(['k', 'other'])).to.deep.equal(['kept', undefined])
      expect(await rejected(steps(['a'], ['get', 'k']), 'ERR_KEY_NOT_LOCKED')).to.include({ outcome: 'none' })
    })

    it('refuses every action on the whole cache with ERR_NOT_IN_TRANSACTION', async () => {
      await cache.put('a', 1)
      expect(await codes(['a'], ...WHOLE)).to.deep.equal(WHOLE.map(() => 'ERR_NOT_IN_TRANSACTION'))
      await rejected(steps(['a'], ['put', 'a', 2], ['size']), 'ERR_NOT_IN_TRANSACTION')
      await rejected(steps(['a'], ['stream']), 'ERR_NOT_IN_TRANSACTION')
      expect(await cache.get('a')).to.equal(1)
    })

    it('sees its own writes, by every way of reading', async () => {
      expect(await steps(['a', 'b', 'c'],
        ['put', 'a', 1], ['get', 'a'], ['exists', 'a'], ['incr', 'a', 4], ['get', 'a'], ['putMany', [['b', 'B'], ['c', 'C']]], ['getMany', ['a', 'b', 'c']],
        ['expire', 'b', 5000], ['del', 'c'], ['get', 'c'], ['exists', 'c'], ['getMany', ['c', 'b']], ['take', 'b'], ['getMany', ['a', 'b']], ['fetch', 'a', 'inside.nothing'], ['getAndUpdate', 'a', 'sums.add', { args: [1] }], ['get', 'a'],
      )).to.deep.equal([true, 1, true, 5, 5, undefined, [5, 'B', 'C'], true, true, undefined, false, [undefined, 'B'], 'B', [5, undefined], 5, 6, 6])
      const [, ttl] = await steps(['a'], ['expire', 'a', 60_000], ['ttl', 'a']) as [unknown, number]
      expect(ttl).to.be.within(59_000, 60_000)
    })

    it('meets expired entries as missing', async () => {
      const { node } = setting
      node.clock.hold()
      for (const key of ['a', 'b', 'c', 'd']) await cache.put(key, 1, { expire: 100 })
      node.clock.advance(200)
      await node.clockMoved()
      expect(await steps(['a', 'b', 'c', 'd'], ['get', 'a'], ['getMany', ['a', 'b']], ['exists', 'a'], ['ttl', 'a'], ['update', 'a', 2], ['touch', 'a'], ['take', 'a'], ['del', 'b'], ['incr', 'c'], ['put', 'd', 2, { if: 'present' }]))
        .to.deep.equal([undefined, [undefined, undefined], false, undefined, false, false, undefined, false, 1, false])
      expect(await cache.getMany(['a', 'b', 'c', 'd'])).to.deep.equal([undefined, undefined, 1, undefined])
    })

    it('may be one that a thread has registered, with what is open there', async () => {
      const open = new Map([['a', 7]])
      const here = registerFunction('transactions.here', async (tx: Transaction<unknown>, key: string) => tx.put(key, open.get(key)))
      expect(await cache.transaction(['a'], here, { args: ['a'] })).to.equal(true)
      const thread = new AttachedThread()
      await thread.attach(cache)
      open.set('a', 8)
      expect(await thread.call(cache.name, 'transaction', ['a'], 'transactions.here', { args: ['a'] })).to.equal(true)
      expect(await cache.get('a')).to.equal(8)
      await thread.end()
      here.unregister()
    })

    it('takes a part in it for what it begins and does not wait for, and for nothing after its end', async () => {
      expect(await cache.transaction(['a', 'b'], inside.careless, { args: [['put', 'a', 1], ['putMany', [['b', 2]]], ['incr', 'a', 5]] })).to.equal('returned')
      expect(await cache.getMany(['a', 'b'])).to.deep.equal([6, 2])
      await cache.transaction(['a'], inside.later, { args: ['late', ['put', 'a', 'late']] })
      await gates.put('late', true)
      await until(() => gates.existsSync('late answered'), 'the answer')
      expect([await gates.get('late answered'), await cache.get('a')]).to.deep.equal(['ERR_NOT_IN_TRANSACTION', 6])
    })
  })

  describe('others', () => {
    it('read the values from before until it has ended, and then all of it', async () => {
      await cache.putMany([['a', 1], ['b', 2], ['c', 3]])
      const { go } = await paused(['a', 'b', 'c', 'd'], [['put', 'a', 10], ['del', 'b'], ['expire', 'c', 60_000], ['put', 'd', 40]])
      expect([await cache.get('a'), cache.getSync('b'), await cache.exists('d'), cache.existsSync('b'), await cache.ttl('c')]).to.deep.equal([1, 2, false, true, null])
      expect(await cache.getMany(['a', 'b', 'c', 'd'])).to.deep.equal([1, 2, 3, undefined])
      expect([await cache.size(), (await cache.keys()).sort(), await cache.fetch('a', 'inside.nothing')]).to.deep.equal([3, ['a', 'b', 'c'], 1])
      expect((await cache.export()).map(({ value }) => value)).to.have.members([1, 2, 3])
      await go()
      expect(await cache.getMany(['a', 'b', 'c', 'd'])).to.deep.equal([10, undefined, 3, 40])
      expect([await cache.size(), cache.getSync('d'), cache.existsSync('b'), typeof await cache.ttl('c')]).to.deep.equal([3, 40, false, 'number'])
    })

    it('write these keys when it has ended, in the order in which they came, and other keys at once', async () => {
      const { go } = await paused(['a', 'b'], [['put', 'a', 1]])
      const waiting = [cache.incr('a'), cache.put('a', 10), cache.getAndUpdate('a', 'sums.add', { args: [5] }), cache.incr('a'), cache.take('a'), cache.incr('a')]
      expect(await cache.put('other', 1, { timeout: 1000 })).to.equal(true)
      await go()
      expect(await Promise.all(waiting)).to.deep.equal([2, true, 15, 16, 16, 1])
    })

    it('that have waited do not hold up the stop of the cache', async () => {
      const { go } = await paused(['a'], [['put', 'a', 1]])
      const waiting = [cache.put('a', 2), cache.incr('a'), cache.get('a')]
      await go()
      expect(await Promise.all(waiting)).to.deep.equal([true, 3, 3])
      const begun = performance.now()
      await cache.stop()
      expect(performance.now() - begun).to.be.below(3000)
    })

    it('wait to their own timeout, and what was too late is not done', async () => {
      const { go } = await paused(['a'], [['put', 'a', 1]])
      const late = [cache.put('a', 'late', { timeout: 50 }), cache.del('a', { timeout: 50 }), cache.putMany([['a', 'late'], ['b', 'late']], { timeout: 50 })]
      await Promise.all(late.map((one) => rejected(one, 'ERR_TIMEOUT')))
      expect(await rejected(cache.transaction(['a'], inside.steps, { args: [['put', 'a', 'late']], timeout: 50 }), 'ERR_TIMEOUT')).to.include({ outcome: 'none' })
      await go()
      expect(await cache.getMany(['a', 'b'])).to.deep.equal([1, undefined])
    })

    it('read behind their own writes that wait for it', async () => {
      await cache.put('a', 'before')
      const { go } = await paused(['a'], [['put', 'a', 'inside']])
      void cache.put('a', 'mine')
      const reads = Promise.all([cache.get('a'), cache.exists('a'), cache.ttl('a'), cache.getMany(['a']), cache.get('a', { default: 5 })])
      expect(cache.getSync('a')).to.equal('before')
      await go()
      expect(await reads).to.deep.equal(['mine', true, null, ['mine'], 'mine'])
    })

    it('clear, purge, prune and reset only when it has ended', async () => {
      await cache.putMany([['a', 1], ['b', 2]])
      for (const act of [() => cache.clear({ timeout: 50 }), () => cache.purge({ timeout: 50 }), () => cache.prune(1, { timeout: 50 }), () => cache.reset({ timeout: 50 })]) {
        await gates.clear()
        const { go } = await paused(['a'], [['put', 'a', 10]])
        await rejected(act(), 'ERR_TIMEOUT')
        expect(await cache.get('a')).to.equal(1)
        await go()
        expect(await cache.get('a')).to.equal(10)
        await cache.putMany([['a', 1], ['b', 2]])
      }
      await gates.clear()
      const { go } = await paused(['a'], [['put', 'a', 10]])
      const cleared = cache.clear()
      await go()
      expect(await cleared).to.equal(2)
      expect(await cache.isEmpty()).to.equal(true)
    })

    it('of other transactions wait for common keys, in whatever order they name them, and for no others', async () => {
      await cache.putMany([['a', 100], ['b', 100], ['c', 100]])
      const pairs = [['a', 'b'], ['b', 'a'], ['b', 'c'], ['c', 'a'], ['a', 'c']] as const
      await Promise.all(Array.from({ length: 40 }, (_, index) => {
        const [from, to] = pairs[index % pairs.length]!
        return (cache as Cache<number>).transaction([from, to], inside.transfer, { args: [from, to, 1] })
      }))
      expect((await cache.getMany(['a', 'b', 'c']) as number[]).reduce((sum, value) => sum + value)).to.equal(300)
      const { go } = await paused(['a'], [])
      expect(await cache.transaction(['b'], inside.echo, { args: [1], timeout: 2000 })).to.deep.equal([1])
      await go()
    })
  })

  describe('of no keys', () => {
    it('excludes other transactions, and no plain writes', async () => {
      const { go } = await paused([], [])
      await rejected(cache.transaction(['a'], 'inside.nothing', { timeout: 50 }), 'ERR_TIMEOUT')
      await rejected(cache.transaction([], 'inside.nothing', { timeout: 50 }), 'ERR_TIMEOUT')
      expect(await cache.put('a', 1, { timeout: 2000 })).to.equal(true)
      await go()
      expect(await cache.transaction(['a'], inside.echo, { args: [1] })).to.deep.equal([1])
    })

    it('begins when those that run have ended', async () => {
      const { go } = await paused(['a'], [])
      await rejected(cache.transaction([], 'inside.nothing', { timeout: 50 }), 'ERR_TIMEOUT')
      await go()
      await cache.transaction([], 'inside.nothing')
    })

    it('refuses every key', async () => {
      expect(await codes([], ['get', 'a'], ['put', 'a', 1])).to.deep.equal(['ERR_KEY_NOT_LOCKED', 'ERR_KEY_NOT_LOCKED'])
    })
  })

  describe('inside another one', () => {
    const nested = (keys: readonly string[], ...args: Step[]): Step => ['transaction', keys, 'inside.steps', { args }]

    it('joins it: sees its writes, is seen by it, and becomes visible with it', async () => {
      const { go } = await paused(['a', 'b'], [['put', 'a', 1], nested(['a', 'b'], ['get', 'a'], ['put', 'b', 2]), ['get', 'b']])
      expect(await cache.getMany(['a', 'b'])).to.deep.equal([undefined, undefined])
      expect((await go()).slice(0, 3)).to.deep.equal([true, [1, true], 2])
      expect(await cache.getMany(['a', 'b'])).to.deep.equal([1, 2])
    })

    it('names a subset of its keys: another key is refused, and so is one that it did not list itself', async () => {
      expect(await codes(['a', 'b'], nested(['c'], ['get', 'c']), nested(['a'], ['get', 'b']), nested([], ['get', 'a']), nested([]))).to.deep.equal(['ERR_KEY_NOT_LOCKED', 'ERR_KEY_NOT_LOCKED', 'ERR_KEY_NOT_LOCKED', undefined])
    })

    it('comes to nothing with it', async () => {
      await rejected(steps(['a'], nested(['a'], ['put', 'a', 1]), ['throw', 'error']), 'ERR_FUNCTION_FAILED')
      expect(await cache.exists('a')).to.equal(false)
      await rejected(steps(['a', 'b'], ['put', 'b', 1], nested(['a'], ['put', 'a', 1], ['throw', 'error'])), 'ERR_FUNCTION_FAILED')
      expect(await cache.getMany(['a', 'b'])).to.deep.equal([undefined, undefined])
      expect(await cache.put('a', 1, { timeout: 2000 })).to.equal(true)
    })
  })

  describe('fetch inside', () => {
    it('loads a missing key inside, and stores it with the rest', async () => {
      const { go } = await paused(['a', 'b'], [['fetch', 'a', 'loaders.load'], ['get', 'a'], ['fetch', 'b', 'loaders.committed', { args: [60_000] }]])
      expect(await cache.exists('a')).to.equal(false)
      expect((await go()).slice(0, 3)).to.deep.equal(['loaded a', 'loaded a', 'committed b'])
      expect(await cache.get('a')).to.equal('loaded a')
      expect(await cache.ttl('b')).to.be.within(55_000, 60_000)
    })

    it('stores nothing if it is ignored, fails, or the transaction does', async () => {
      expect(await steps(['a'], ['fetch', 'a', 'loaders.ignored'])).to.deep.equal(['ignored a'])
      expect(await codes(['a'], ['fetch', 'a', 'loaders.fails'])).to.deep.equal(['ERR_FUNCTION_FAILED'])
      await rejected(steps(['a'], ['fetch', 'a', 'loaders.load'], ['throw', 'error']), 'ERR_FUNCTION_FAILED')
      expect(await cache.exists('a')).to.equal(false)
    })
  })
})
