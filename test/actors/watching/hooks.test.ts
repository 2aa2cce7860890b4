import { expect } from 'chai'
import { registerFunction, startNode, type Cache, type CacheNode, type CacheOptions, type HookOptions } from 'scatterhoard'
import { AttachedThread } from '../attached-thread.js'
import { rejected, shardPaths, until } from '../expectations.js'
import { Point } from '../point.js'
import { watching, type Seen } from './watch-functions.js'

const FUNCTIONS = [new URL('../functions.js', import.meta.url), new URL('./watch-functions.js', import.meta.url)]

type AnyCache = Cache<unknown>

describe('hooks', () => {
  let node: CacheNode
  let cache: AnyCache
  let count = 0

  before(async () => (node = await startNode({ name: 'hooked', shardThreads: 1, functions: FUNCTIONS })))
  after(() => node.stop())

  const start = async (hooks: HookOptions[], options: CacheOptions = {}): Promise<void> => {
    cache = await node.startCache(`hooked-${++count}`, { shards: 2, memory: '2mb', expiration: { interval: null }, supervision: { backoff: { then: 0 } }, hooks, ...options })
  }
  afterEach(() => cache.stop())

  const list = async (name: string): Promise<Seen[]> => (await cache.get(`seen:${name}`, { notify: false }) ?? []) as Seen[]

  /** What a hook saw, when it has seen so much. */
  async function seen(name: string, calls: number): Promise<Seen[]> {
    await until(async () => (await list(name)).length >= calls, `${calls} calls of '${name}'`)
    return list(name)
  }

  it('are called with the message, its positional arguments filled, and the result, for every action', async () => {
    await start([{ name: 'log', handle: watching.log, args: 0 }])
    const expected: [unknown[], unknown][] = []
    const act = async (message: unknown[], act: Promise<unknown>): Promise<void> => void expected.push([message, await act])
    const soon = Date.now() + 60_000
    await act(['put', 'a', 1], cache.put('a', 1))
    await act(['put', 'b', { deep: [1] }, { expire: '1h', if: 'absent' }], cache.put('b', { deep: [1] }, { expire: '1h', if: 'absent', timeout: 1000, signal: new AbortController().signal }))
    await act(['putMany', [['c', 1], ['d', 2]]], cache.putMany(new Map([['c', 1], ['d', 2]])))
    await act(['get', 'a'], cache.get('a'))
    await act(['get', 'x', { default: 5 }], cache.get('x', { default: 5 }))
    await act(['getMany', ['a', 'x']], cache.getMany(new Set(['a', 'x']) as never))
    await act(['update', 'a', 2], cache.update('a', 2))
    await act(['exists', 'a'], cache.exists('a'))
    await act(['ttl', 'b'], cache.ttl('b'))
    await act(['incr', 'n', 1], cache.incr('n'))
    await act(['decr', 'n', 1], cache.decr('n'))
    await act(['incr', 'n', 5, { default: 2 }], cache.incr('n', 5, { default: 2 }))
    await act(['expire', 'a', 1000], cache.expire('a', 1000))
    await act(['expireAt', 'a', soon], cache.expireAt('a', soon))
    await act(['persist', 'a'], cache.persist('a'))
    await act(['refresh', 'a'], cache.refresh('a'))
    await act(['touch', 'a'], cache.touch('a'))
    await act(['getAndUpdate', 'n', 'sums.add', { args: [2] }], cache.getAndUpdate('n', 'sums.add', { args: [2] }))
    await act(['take', 'c'], cache.take('c'))
    await act(['del', 'd'], cache.del('d'))
    await act(['delMany', ['d', 'x']], cache.delMany(['d', 'x']))
    await act(['isEmpty'], cache.isEmpty())
    await act(['size', { expired: false }], cache.size({ expired: false }))
    await act(['purge'], cache.purge())
    await act(['getAndUpdate', 'n', 'watching.append', { args: [1] }], cache.ask(['getAndUpdate', 'z', watching.append as never, { args: [1] }]).then(() => undefined))
    expected.pop()
    const calls = await seen('log', expected.length)
    for (const [index, [message, result]] of expected.entries()) {
      if (message[0] === 'isEmpty' || message[0] === 'size') expect(calls[index]!.message).to.deep.equal(message)
      else expect({ message: calls[index]!.message, result: calls[index]!.result }).to.deep.equal({ message, result })
    }
    expect((await seen('log', expected.length + 1)).at(-1)!.message).to.deep.equal(['getAndUpdate', 'z', 'watching.append', { args: [1] }])
  })

  it('see only what they watch, each action once, by whatever way it was called', async () => {
    await start([{ name: 'log', handle: watching.log, actions: ['put', 'get', 'exists', 'del'], args: 0 }, { name: 'second', handle: watching.logSecond, actions: ['del'] }])
    await cache.put('a', 1)
    await cache.ask(['put', 'b', 2])
    expect(cache.tell(['put', 'c', 3])).to.equal(true)
    await cache.exists('c')
    cache.getSync('a')
    cache.existsSync('x')
    expect(cache.tell(['get', 'b'])).to.equal(true)
    await cache.incr('n')
    await cache.getMany(['a', 'b'])
    await cache.del('a')
    expect((await seen('log', 8)).map(({ message, result }) => [message, result])).to.deep.equal([
      [['put', 'a', 1], true], [['put', 'b', 2], true], [['put', 'c', 3], undefined], [['exists', 'c'], true], [['get', 'a'], 1], [['exists', 'x'], false], [['get', 'b'], 2], [['del', 'a'], true],
    ])
    expect((await seen('second', 1)).map(({ message }) => message)).to.deep.equal([['del', 'a']])
  })

  it('are called on behalf of every thread, and see nothing of calls with notify: false', async () => {
    await start([{ name: 'log', handle: watching.log, actions: ['put', 'get'], args: 0 }])
    const thread = new AttachedThread()
    await thread.attach(cache)
    await thread.call(cache.name, 'put', 'a', 1)
    await cache.put('b', 2, { notify: false })
    await cache.ask(['put', 'c', 3, { notify: false }])
    await cache.get('a', { notify: false })
    await thread.call(cache.name, 'get', 'b', { notify: true })
    expect((await seen('log', 2)).map(({ message }) => message)).to.deep.equal([['put', 'a', 1], ['get', 'b']])
    await thread.end()
  })

  it('get their first state from args, and then what they returned', async () => {
    await start([{ name: 'log', handle: watching.log, actions: ['put'], args: 40 }])
    for (let index = 0; index < 5; index++) await cache.put(index, index)
    expect((await seen('log', 5)).map(({ state }) => state)).to.deep.equal([40, 41, 42, 43, 44])
  })

  it('get values and states of registered classes, which the system thread does not know', async () => {
    await start([{ name: 'point', handle: watching.point, actions: ['put'], args: new Point(7, 0) }])
    await cache.put('p', new Point(1, 2))
    await cache.put('q', new Point(3, 4))
    expect((await seen('point', 2)).map(({ message, state }) => [message, state])).to.deep.equal([[[true, 1], 7], [[true, 3], 1]])
  })

  it('are called for one thing at a time, in the order in which they were done', async () => {
    await start([{ name: 'slow', handle: watching.slow, actions: ['put'] }])
    await Promise.all(Array.from({ length: 20 }, (_, index) => cache.put('k', index)))
    const calls = await seen('slow', 20)
    expect(calls.map(({ message }) => message[2])).to.deep.equal(Array.from({ length: 20 }, (_, index) => index))
    expect(new Set(calls.map(({ result }) => result))).to.deep.equal(new Set([1]))
  })

  it('keep the old state when they throw, never end, block or exit their thread, or return what is no state', async () => {
    await start([{ name: 'moody', handle: watching.moody, actions: ['put'], timeout: 100, args: 1 }])
    for (const mood of ['fine', 'throw', 'never', 'block', 'exit', 'closure', 'ignore', 'fine', 'commit', 'fine']) expect(await cache.put('k', mood)).to.equal(true)
    expect((await seen('moody', 3)).map(({ message, state }) => [message[2], state])).to.deep.equal([['fine', 1], ['fine', 2], ['fine', 100]])
    await until(async () => (await cache.inspect('hooks'))[0]!.calls === 5, 'five calls')
    expect(await cache.inspect('hooks')).to.deep.equal([{ name: 'moody', calls: 5, failures: 5, waiting: 0, dropped: 0 }])
  })

  it('see failed actions with their errors as results, and nothing of calls that were refused', async () => {
    await start([{ name: 'log', handle: watching.log, actions: ['incr', 'get', 'put'], args: 0 }])
    await cache.put('text', 'x', { notify: false })
    await rejected(cache.incr('text'), 'ERR_NON_NUMERIC_VALUE')
    await rejected(cache.get(undefined as never), 'ERR_INVALID_KEY')
    await rejected(cache.put('k', 1, { expire: 'soon' }), 'ERR_INVALID_ARGUMENT')
    await rejected(cache.put('k', () => 1), 'ERR_UNSUPPORTED_VALUE')
    await cache.get('text')
    const calls = await seen('log', 2)
    expect(calls.map(({ message }) => message)).to.deep.equal([['incr', 'text', 1], ['get', 'text']])
    expect(calls[0]!.result).to.be.instanceOf(Error).and.to.include({ code: 'ERR_NON_NUMERIC_VALUE' })
  })

  it('show what was passed, whatever the caller does to it afterwards', async () => {
    await start([{ name: 'log', handle: watching.log, actions: ['put'], args: 0 }])
    const value = { n: 1 }
    const put = cache.put('k', value)
    value.n = 2
    await put
    expect((await seen('log', 1))[0]!.message).to.deep.equal(['put', 'k', { n: 1 }])
  })

  describe('that are synchronous', () => {
    it('are waited for: after the action, before the caller goes on', async () => {
      await start([{ name: 'slow', handle: watching.slow, actions: ['put'], async: false }])
      for (let calls = 1; calls <= 3; calls++) {
        await cache.put('k', calls)
        expect(await list('slow')).to.have.lengthOf(calls)
      }
      await Promise.all([cache.put('k', 4), cache.put('k', 5), cache.ask(['put', 'k', 6])])
      expect(await list('slow')).to.have.lengthOf(6)
      cache.tell(['put', 'k', 7])
      await seen('slow', 7)
    })

    it('are waited for: before the action, which begins when they have returned', async () => {
      await start([{ name: 'look', handle: watching.look, when: 'before', actions: ['put', 'get', 'del'], async: false }])
      await cache.put('k', 1)
      await cache.put('k', 2)
      expect(await cache.get('k')).to.equal(2)
      expect(await cache.del('k')).to.equal(true)
      expect((await list('look')).map(({ message, result, state }) => [message, result, state])).to.deep.equal([
        [['put', 'k', 1], undefined, undefined], [['put', 'k', 2], undefined, 1], [['get', 'k'], undefined, 2], [['del', 'k'], undefined, 2],
      ])
    })

    it('before the action keep the order of the calls of a handle, watched or not', async () => {
      await start([{ name: 'slow', handle: watching.slow, when: 'before', actions: ['put'], async: false }])
      const results = [cache.put('k', 1), cache.get('k'), cache.put('k', 2), cache.incr('n'), cache.get('k'), cache.del('k')]
      cache.tell(['put', 'k', 3])
      expect(await Promise.all([...results, cache.get('k')])).to.deep.equal([true, 1, true, 1, 2, true, 3])
    })

    it('do not affect the action by failing or by taking too long', async () => {
      await start([
        { name: 'moody', handle: watching.moody, actions: ['put'], timeout: 50, args: 1, async: false },
        { name: 'before', handle: watching.moody, actions: ['put'], timeout: 50, when: 'before', async: false },
      ])
      for (const mood of ['throw', 'never', 'block', 'exit']) {
        expect(await cache.put('k', mood)).to.equal(true)
        expect(await cache.get('k')).to.equal(mood)
      }
    })

    it('are waited for no longer than the caller waits', async () => {
      await start([{ name: 'moody', handle: watching.moody, actions: ['put'], timeout: 3000, args: 1, async: false }])
      const begun = performance.now()
      expect(await cache.put('k', 'never', { timeout: 100 })).to.equal(true)
      expect(performance.now() - begun).to.be.within(90, 2000)
      const aborting = new AbortController()
      const put = cache.put('k', 'never', { signal: aborting.signal })
      await until(async () => await cache.get('k', { notify: false }) === 'never', 'the put')
      aborting.abort()
      expect(await put).to.equal(true)
    })

    it('see synchronous reads without being waited for', async () => {
      await start([{ name: 'look', handle: watching.look, actions: ['get'], async: false }, { name: 'slow', handle: watching.slow, actions: ['get'], when: 'before', async: false }])
      await cache.put('k', 1)
      expect(cache.getSync('k')).to.equal(1)
      expect((await seen('look', 1)).map(({ message, result }) => [message, result])).to.deep.equal([[['get', 'k'], 1]])
      await seen('slow', 1)
    })
  })

  it('before the action that are asynchronous are told of it once, without a result', async () => {
    await start([{ name: 'log', handle: watching.log, when: 'before', actions: ['put', 'clear'], args: 0 }])
    await cache.put('k', 1)
    cache.tell(['put', 'k', 2])
    await rejected(cache.put('k', 1, { expire: 'soon' }), 'ERR_INVALID_ARGUMENT')
    await cache.del('k')
    await cache.put('k', 3)
    expect((await seen('log', 3)).map(({ message, result }) => [message, result])).to.deep.equal([[['put', 'k', 1], undefined], [['put', 'k', 2], undefined], [['put', 'k', 3], undefined]])
  })

  it('do not hear of what they do themselves', async () => {
    await start([{ name: 'log', handle: watching.log, args: 0 }, { name: 'look', handle: watching.look, async: false, actions: ['put'] }])
    await cache.put('k', 1)
    await cache.put('k', 2)
    expect((await seen('log', 2)).map(({ message }) => message[0])).to.deep.equal(['put', 'put'])
    const report = async (): Promise<object> => (await cache.inspect('hooks', { notify: false }))[0]!
    await until(async () => (await report() as { calls: number }).calls === 2, 'two calls')
    await cache.getAndUpdate('seen:log', 'sums.seen', { notify: false })
    expect(await report()).to.include({ calls: 2, waiting: 0 })
  })

  describe('of what the cache does by itself', () => {
    const held = async (hooks: HookOptions[], options: CacheOptions = {}): Promise<void> => {
      node.clock.hold()
      await start(hooks, options)
    }
    afterEach(() => node.clock.release())

    const advance = async (ms: number): Promise<void> => {
      node.clock.advance(ms)
      await node.clockMoved()
    }
    const log = (actions: HookOptions['actions']): HookOptions[] => [{ name: 'log', handle: watching.log, actions: actions!, args: 0 }]

    it('hear of a sweep\'s keys as one', async () => {
      await held(log(['purge', 'expired']), { shards: 1, expiration: { interval: 1000 } })
      for (let key = 0; key < 5; key++) await cache.put(key, key, { expire: 100 })
      await cache.put('stays', 1)
      await advance(1000)
      const [{ message, result }] = await seen('log', 1) as [Seen]
      expect([message[0], (message[1] as number[]).sort(), result]).to.deep.equal(['purge', [0, 1, 2, 3, 4], 5])
      expect(await list('log')).to.have.lengthOf(1)
    })

    it('hear of a sweep\'s keys one by one, if they watch expired and not purge', async () => {
      await held(log(['expired']), { expiration: { interval: 1000 } })
      for (let key = 0; key < 5; key++) await cache.put({ key }, key, { expire: 100 })
      await advance(1000)
      const calls = await seen('log', 5)
      expect(calls.map(({ message }) => message[0])).to.deep.equal(new Array(5).fill('expired'))
      expect(calls.map(({ message }) => (message[1] as { key: number }).key).sort()).to.deep.equal([0, 1, 2, 3, 4])
    })

    it('hear of an entry whose time had come when somebody met it, once, and it is gone', async () => {
      await held(log(['expired']))
      const meet: [string, () => unknown][] = [
        ['get', () => cache.get('get')], ['getSync', () => cache.getSync('getSync')], ['exists', () => cache.exists('exists')], ['ttl', () => cache.ttl('ttl')],
        ['put', () => cache.put('put', 2)], ['incr', () => cache.incr('incr')], ['take', () => cache.take('take')], ['del', () => cache.del('del')],
      ]
      for (const [key] of meet) await cache.put(key, 1, { expire: 100 })
      await advance(200)
      for (const [index, [key, act]] of meet.entries()) {
        await act()
        await act()
        expect((await seen('log', index + 1)).map(({ message, result }) => [message, result])[index], key).to.deep.equal([['expired', key], true])
      }
      expect(await cache.inspect(['expired', 'count'])).to.equal(0)
      expect(await list('log')).to.have.lengthOf(meet.length)
    })

    it('hear of what purge removes: as the action, and one by one if they watch expired only', async () => {
      await held([...log(['expired']), { name: 'second', handle: watching.logSecond, actions: ['purge'] }])
      for (let key = 0; key < 3; key++) await cache.put(key, key, { expire: 100 })
      await advance(200)
      expect(await cache.purge()).to.equal(3)
      expect((await seen('log', 3)).map(({ message }) => message[1]).sort()).to.deep.equal([0, 1, 2])
      expect((await seen('second', 1)).map(({ message, result }) => [message, result])).to.deep.equal([[['purge'], 3]])
    })

    it('hear of evicted keys, with the reason', async () => {
      await start([{ name: 'log', handle: watching.log, actions: ['evict'], args: 0 }], { shards: 1, memory: '1mb' })
      const evicted = new Set<unknown>()
      for (let key = 0; key < 1200; key++) await cache.put(key, 'x'.repeat(1000))
      const size = await cache.size()
      await until(async () => {
        for (const { message } of await list('log')) for (const key of message[1] as unknown[]) evicted.add(key)
        return evicted.size >= 1200 - size
      }, 'every eviction')
      for (const { message, result } of await list('log')) {
        expect([message[0], message[2]]).to.deep.equal(['evict', 'memory'])
        expect(message[1]).to.have.lengthOf(result as number)
      }
    })
  })

  it('go on with their states when shards die, and with their first ones when the system thread does', async () => {
    await start([{ name: 'log', handle: watching.log, actions: ['put'], args: 0 }])
    await cache.put('a', 1)
    await seen('log', 1)
    for (const path of await shardPaths(cache)) {
      await node.kill(path)
      await cache.put('b', 2)
    }
    expect((await seen('log', 3)).map(({ state }) => state)).to.deep.equal([0, 1, 2])
    await node.kill('system')
    await cache.put('c', 3)
    expect((await seen('log', 4)).map(({ message, state }) => [message[1], state]).at(-1)).to.deep.equal(['c', 0])
  })

  it('finish what they were told before the cache stopped', async () => {
    await start([{ name: 'slow', handle: 'registered.last', actions: ['put'] }], { shards: 1 })
    const done: unknown[] = []
    const last = registerFunction('registered.last', async (message: unknown[]) => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      done.push(message[1])
    })
    await Promise.all(Array.from({ length: 20 }, (_, index) => cache.put(index, 1)))
    await cache.stop()
    expect(done).to.deep.equal(Array.from({ length: 20 }, (_, index) => index))
    last.unregister()
  })

  it('that are registered run on their thread, one call at a time, with a cache whose calls they do not hear of', async () => {
    const calls: unknown[] = []
    let running = 0
    let most = 0
    const onThisThread = registerFunction('registered.hook', async (message: unknown[], result: unknown, state: number, inside: AnyCache) => {
      most = Math.max(most, ++running)
      calls.push([message, result, state])
      await inside.put('from the hook', state)
      running--
      return state + 1
    })
    await start([{ name: 'registered', handle: onThisThread, actions: ['put'], args: 0, async: false }], { shards: 1 })
    await Promise.all([cache.put('a', 1), cache.put('b', 2), cache.put('c', 3)])
    expect(calls).to.deep.equal([[['put', 'a', 1], true, 0], [['put', 'b', 2], true, 1], [['put', 'c', 3], true, 2]])
    expect(most).to.equal(1)
    expect(await cache.get('from the hook')).to.equal(2)
    onThisThread.unregister()
  })

  describe('reset', () => {
    it('empties the cache and starts all hooks from their first states', async () => {
      await start([{ name: 'log', handle: watching.log, actions: ['incr'], args: 0 }])
      await cache.incr('n')
      await cache.incr('n')
      await seen('log', 2)
      expect(await cache.reset()).to.equal(undefined)
      expect(await cache.exists('n')).to.equal(false)
      await cache.incr('n')
      expect((await seen('log', 1)).map(({ state }) => state)).to.deep.equal([0])
    })

    it('leaves out what it is not to reset', async () => {
      await start([{ name: 'log', handle: watching.log, actions: ['incr'], args: 0 }, { name: 'other', handle: watching.logSecond, actions: ['incr'], args: 5 }])
      await cache.incr('n')
      await cache.reset({ only: ['hooks'], hooks: ['log'] })
      expect(await cache.get('n')).to.equal(1)
      await cache.incr('n')
      expect((await seen('log', 2)).map(({ state }) => state)).to.deep.equal([0, 0])
      await cache.reset({ only: ['cache'] })
      expect(await cache.exists('n')).to.equal(false)
      await cache.incr('n')
      expect((await seen('log', 1)).map(({ state }) => state)).to.deep.equal([1])
      cache.tell(['reset', { only: ['cache'] }])
      expect(await cache.exists('n')).to.equal(false)
    })

    it('refuses hooks that there are not, before anything is removed', async () => {
      await start([])
      await cache.put('k', 1)
      for (const options of [{ hooks: ['nobody'] }, { hooks: 'x' }, { hooks: [5] }, { only: 'cache' }, { only: ['stats'] }, { only: null }]) await rejected(cache.reset(options as never), 'ERR_INVALID_ARGUMENT')
      expect(await cache.get('k')).to.equal(1)
      await cache.reset({ only: [] })
      expect(await cache.get('k')).to.equal(1)
      await cache.reset()
      expect(await cache.exists('k')).to.equal(false)
    })
  })
})
