import { expect } from 'chai'
import { registerFunction, type Cache, type Transaction } from 'scatterhoard'
import { AttachedThread } from '../attached-thread.js'
import { expectTypeError, rejected, shardPaths, until } from '../expectations.js'
import { inside, type Step } from './transaction-functions.js'
import { TransactionSetting } from './transaction-setting.js'

describe('a transaction that ends otherwise', () => {
  const setting = new TransactionSetting('deaths')
  let cache: Cache<unknown>
  let gates: Cache<unknown>
  beforeEach(() => ({ cache, gates } = setting))
  const steps = (keys: readonly string[], ...args: Step[]): Promise<unknown[]> => setting.steps(keys, ...args)
  const paused: TransactionSetting['paused'] = (...args) => setting.paused(...args)

  describe('comes to nothing, and gives its keys back,', () => {
    afterEach(async () => {
      expect(await cache.getMany(['a', 'b', 'new'])).to.deep.equal([1, 2, undefined])
      expect(await cache.put('a', 'free', { timeout: 3000 })).to.equal(true)
    })
    beforeEach(() => cache.putMany([['a', 1], ['b', 2]]))

    const writes: Step[] = [['put', 'a', 10], ['del', 'b'], ['put', 'new', 3]]
    const keys = ['a', 'b', 'new']

    it('when its function throws, whatever it throws', async () => {
      for (const kind of ['error', 'undefined', 'string']) expect(await rejected(steps(keys, ...writes, ['throw', kind]), 'ERR_FUNCTION_FAILED')).to.include({ outcome: 'none', function: 'inside.steps' })
    })

    it('when it never ends, or blocks its thread', async () => {
      for (const doing of ['never', 'hang']) {
        expect(await rejected(cache.transaction(keys, inside.steps, { args: [...writes, [doing]], functionTimeout: 100, timeout: 10_000 }), 'ERR_FUNCTION_TIMEOUT')).to.include({ outcome: 'none' })
      }
    })

    it('when it exits its thread', async () => {
      await rejected(steps(keys, ...writes, ['exit', 1]), 'ERR_FUNCTION_FAILED')
    })

    it('when its result cannot be sent', async () => {
      const closure = registerFunction('transactions.closure', async (tx: Transaction<unknown>) => {
        await tx.put('a', 10)
        return () => 1
      })
      await rejected(cache.transaction(keys, closure), 'ERR_UNSUPPORTED_VALUE')
      closure.unregister()
    })

    it('when the thread that has registered its function ends', async () => {
      const thread = new AttachedThread()
      await thread.attach(cache)
      await thread.do({ do: 'registerFunction', name: 'deaths.end', each: false, says: 'ends' })
      expect(await rejected(cache.transaction(keys, 'deaths.end', { args: ['end'] }), 'ERR_FUNCTION_FAILED')).to.include({ outcome: 'none' })
      await thread.end()
    })

    it('when the thread of its caller ends', async () => {
      const thread = new AttachedThread()
      await thread.attach(cache)
      void thread.call(cache.name, 'transaction', keys, 'inside.steps', { args: [...writes, ['open', 'paused'], ['wait', 'go']] })
      await until(() => gates.existsSync('paused'), 'the pause')
      await thread.end()
      await until(() => cache.put('b', 2, { timeout: 1000 }).catch(() => false), 'the keys')
      await gates.put('go', true)
    })

    it('when its function is refused: a closure, an unknown name, or one of those that every object has', async () => {
      await rejected(cache.transaction(keys, (() => 1) as never), 'ERR_FUNCTION_NOT_REGISTERED')
      for (const name of ['nobody.knows', 'constructor', '__proto__']) expect(await rejected(cache.transaction(keys, name), 'ERR_UNKNOWN_FUNCTION')).to.include({ function: name, node: 'deaths' })
    })

    it('when it has more keys than a shard can lock: ERR_BUSY', async () => {
      const many = Array.from({ length: 3 * 65_536 + 1 }, (_, index) => index)
      expect(await rejected(cache.transaction([...keys, ...many], 'inside.nothing', { timeout: 20_000 }), 'ERR_BUSY')).to.include({ outcome: 'none' })
    })

    it('when its arguments are of the wrong kind, before anything is sent', async () => {
      for (const [one, name, options] of [['a', 'inside.nothing'], [5, 'inside.nothing'], [keys, undefined], [keys, ''], [keys, 'inside.nothing', { args: 5 }], [keys, 'inside.nothing', { functionTimeout: 0 }], [keys, 'inside.nothing', { expire: 5 }], [keys, 'inside.nothing', 5]] as const) {
        expectTypeError(await rejected(cache.transaction(one as never, name as never, options as never)))
      }
      await rejected(cache.transaction([() => 1] as never, 'inside.nothing'), 'ERR_INVALID_KEY')
      await rejected(cache.transaction(keys, inside.echo, { args: [() => 1] }), 'ERR_UNSUPPORTED_VALUE')
    })
  })

  describe('where something dies', () => {
    it('is carried out once by another thread, if the thread of its function dies over another function', async () => {
      const attempts = cache.transaction(['a'], inside.attempts, { args: ['a', 'never opened'], timeout: 20_000, functionTimeout: 20_000 })
      await until(async () => await gates.get('attempts') === 1, 'the first attempt')
      let hasEnded = false
      void attempts.finally(() => (hasEnded = true))
      // They go to the thread with the least to do.
      await until(async () => {
        await Promise.allSettled(['x', 'y', 'z'].map((key) => cache.transaction([key], inside.steps, { args: [['hang']], functionTimeout: 50, timeout: 20_000 })))
        return hasEnded
      }, 'the second attempt', 15_000)
      expect(await attempts).to.be.greaterThan(1)
      expect(await cache.get('a')).to.equal(await attempts)
    })

    it('keeps what it has written when shards die in the middle, and all of it becomes visible at once', async () => {
      const { go } = await paused(['a', 'b', 'c'], [['put', 'a', 1], ['put', 'b', 2]], [['put', 'c', 3], ['get', 'a']])
      for (const path of await shardPaths(cache)) await setting.node.kill(path)
      expect(await cache.getMany(['a', 'b', 'c'])).to.deep.equal([undefined, undefined, undefined])
      const results = await go()
      expect(results.at(-1)).to.equal(1)
      expect(await cache.getMany(['a', 'b', 'c'])).to.deep.equal([1, 2, 3])
    })

    it('keeps writers waiting in order when shards die in the middle', async () => {
      const { go } = await paused(['a'], [['put', 'a', 1]])
      const waiting = [cache.incr('a'), cache.incr('a', 10), cache.put('a', 0), cache.incr('a')]
      // Answered behind them, at every shard: they have been put aside.
      await Promise.all(Array.from({ length: 50 }, (_, index) => cache.put(index, 1)))
      for (const path of await shardPaths(cache)) await setting.node.kill(path)
      await go()
      expect(await Promise.all(waiting)).to.deep.equal([2, 12, true, 1])
    })

    it('comes to its end when the system thread dies in the middle', async () => {
      const { go } = await paused(['a', 'b'], [['put', 'a', 1], ['put', 'b', 2]], [], { timeout: 20_000 })
      await setting.node.kill('system')
      await go().catch((error: unknown) => expect(error).to.include({ code: 'ERR_FUNCTION_FAILED' }))
      const values = await cache.getMany(['a', 'b'])
      expect([[1, 2], [undefined, undefined]]).to.deep.include(values)
      expect(await cache.put('a', 'free', { timeout: 3000 })).to.equal(true)
    })
  })

  describe('its caller', () => {
    it('may stop waiting, by timeout or signal, and the work goes on', async () => {
      const first = await paused(['a'], [['put', 'a', 1]], [], { timeout: 100 })
      expect(await rejected(first.ended, 'ERR_TIMEOUT')).to.include({ outcome: 'unknown' })
      await gates.put('go', true)
      await until(async () => await cache.get('a') === 1, 'the first one')
      await gates.clear()
      const aborting = new AbortController()
      const second = await paused(['a'], [['put', 'a', 2]], [], { signal: aborting.signal })
      aborting.abort(new Error('enough'))
      expect((await rejected(second.ended)).message).to.equal('enough')
      await gates.put('go', true)
      await until(async () => await cache.get('a') === 2, 'the second one')
    })

    it('is not begun for if its signal is aborted before its keys are free', async () => {
      const { go } = await paused(['a'], [['put', 'a', 1]])
      const aborting = new AbortController()
      const waiting = cache.transaction(['a'], inside.steps, { args: [['put', 'a', 2]], signal: aborting.signal })
      const failure = rejected(waiting)
      await cache.put('sent', 1)
      aborting.abort(new Error('enough'))
      expect((await failure).message).to.equal('enough')
      await go()
      expect(await cache.put('a', 3, { timeout: 3000 })).to.equal(true)
      expect(await cache.get('a')).to.equal(3)
    })
  })
})
