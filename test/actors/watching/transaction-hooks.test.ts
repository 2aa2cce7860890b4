import { expect } from 'chai'
import { registerFunction, startNode, type Cache, type CacheNode, type HookOptions, type Transaction } from 'scatterhoard'
import { rejected, until } from '../expectations.js'
import { inside, type Step } from '../transactions/transaction-functions.js'
import { watching, type Seen } from './watch-functions.js'

const MODULES = ['../functions.js', './watch-functions.js', '../transactions/transaction-functions.js'].map((file) => new URL(file, import.meta.url))

const WRITES = ['put', 'putMany', 'update', 'take', 'del', 'delMany', 'incr', 'decr', 'expire', 'expireAt', 'persist', 'refresh', 'touch', 'fetch', 'getAndUpdate', 'transaction'] as const

type Noticed = [message: unknown, result: unknown]

describe('hooks of what is done in transactions', () => {
  let node: CacheNode
  let cache: Cache<unknown>
  let count = 0

  before(async () => {
    node = await startNode({ name: 'noted', shardThreads: 1, functions: MODULES })
    await node.startCache('gates', { shards: 1, memory: '1mb' })
  })
  after(() => node.stop())
  afterEach(() => cache.stop())

  const start = async (hooks: HookOptions[]): Promise<void> => {
    cache = await node.startCache(`noted-${++count}`, { shards: 2, memory: '2mb', expiration: { interval: null }, hooks })
  }
  const log = (actions: HookOptions['actions'], more: object = {}): HookOptions[] => [{ name: 'log', handle: watching.log, args: 0, ...actions && { actions }, ...more }]
  const list = async (): Promise<Noticed[]> => ((await cache.get('seen:log', { notify: false }) ?? []) as Seen[]).map(({ message, result }) => [message, result])
  const steps = (keys: readonly string[], ...args: Step[]): Promise<unknown> => cache.transaction(keys, 'inside.steps', { args })

  /** What the hook has seen when a mark that was put behind it is there. */
  async function seen(): Promise<Noticed[]> {
    await cache.put('mark', true)
    await until(async () => (await list()).some(([message]) => (message as unknown[])[1] === 'mark'), 'the mark')
    return (await list()).slice(0, -1)
  }

  it('tell each write once, in order, with its positional arguments filled and its result', async () => {
    await start(log([...WRITES]))
    const args: Step[] = [
      ['put', 'a', 1], ['put', 'a', 2, { expire: '1h', if: 'absent' }], ['update', 'a', 3], ['incr', 'n'], ['decr', 'n', 5], ['putMany', [['b', 1], ['c', { deep: [1] }]]],
      ['expire', 'b', 1000], ['persist', 'b'], ['touch', 'b'], ['refresh', 'x'], ['take', 'c'], ['del', 'c'], ['delMany', ['b', 'x']], ['getAndUpdate', 'n', 'sums.add', { args: [2] }],
    ]
    const results = await steps(['a', 'b', 'c', 'n', 'x'], ...args) as unknown[]
    const messages: unknown[][] = args.map((step) => [...step])
    messages[3]!.push(1)
    expect(await seen()).to.deep.equal([
      ...messages.map((message, index) => [message, results[index]]),
      [['transaction', ['a', 'b', 'c', 'n', 'x'], 'inside.steps', { args }], results],
    ])
  })

  it('tell reads too, and leave out what is called with notify: false', async () => {
    await start(log(['get', 'getMany', 'put', 'exists']))
    await steps(['a', 'b'], ['put', 'a', 1, { notify: false }], ['get', 'a'], ['getMany', ['a', 'b']], ['exists', 'a', { notify: false }], ['put', 'b', 2])
    expect(await seen()).to.deep.equal([[['get', 'a'], 1], [['getMany', ['a', 'b']], [1, undefined]], [['put', 'b', 2], true]])
  })

  it('tell nothing of a transaction that comes to nothing, however it does', async () => {
    await start(log(['put']))
    await rejected(steps(['a'], ['put', 'a', 1], ['throw', 'error']), 'ERR_FUNCTION_FAILED')
    await rejected(steps(['a'], ['put', 'a', 2], ['exit', 1]), 'ERR_FUNCTION_FAILED')
    await rejected(cache.transaction(['a'], 'inside.steps', { args: [['put', 'a', 3], ['never']], functionTimeout: 50 }), 'ERR_FUNCTION_TIMEOUT')
    await rejected(steps(['a'], ['put', 'a', 4], ['get', 'b']), 'ERR_KEY_NOT_LOCKED')
    expect(await seen()).to.deep.equal([])
  })

  it('tell nothing of what is refused inside, and of what failed with its error', async () => {
    await start(log(['put', 'incr', 'clear']))
    const codes = await cache.transaction(['text'], inside.codes, { args: [['put', 'other', 1], ['clear'], ['put', 'text', 'x'], ['put', 'text', 1, { expire: 'soon' }], ['incr', 'text']] })
    expect(codes).to.deep.equal(['ERR_KEY_NOT_LOCKED', 'ERR_NOT_IN_TRANSACTION', undefined, 'ERR_INVALID_ARGUMENT', 'ERR_NON_NUMERIC_VALUE'])
    const notices = await seen()
    expect(notices.map(([message]) => message)).to.deep.equal([['put', 'text', 'x'], ['incr', 'text', 1]])
    expect(notices[1]![1]).to.be.instanceOf(Error).and.to.include({ code: 'ERR_NON_NUMERIC_VALUE' })
  })

  it('tell it when it has committed, and not before', async () => {
    await start(log(['put']))
    const gates = node.getCache('gates')
    const ended = steps(['a'], ['put', 'a', 1], ['open', 'early has written'], ['wait', 'early may end'])
    await until(() => gates.existsSync('early has written'), 'the write')
    expect(await seen()).to.deep.equal([])
    await gates.put('early may end', true)
    await ended
    await until(async () => (await list()).length === 2, 'the notice')
    expect((await list())[1]).to.deep.equal([['put', 'a', 1], true])
  })

  it('tell what a transaction inside has done before it, with the outer one, also if it failed and was caught', async () => {
    await start(log(['put', 'transaction']))
    const nested: Step = ['transaction', ['b'], 'inside.steps', { args: [['put', 'b', 2]] }]
    const failing: Step = ['transaction', ['b'], 'inside.steps', { args: [['put', 'b', 4], ['throw', 'error']] }]
    await cache.transaction(['a', 'b'], inside.codes, { args: [['put', 'a', 1], nested, ['put', 'a', 3], failing] })
    const notices = await seen()
    expect(notices.map(([message]) => (message as unknown[]).slice(0, 3))).to.deep.equal([
      ['put', 'a', 1], ['put', 'b', 2], ['transaction', ['b'], 'inside.steps'], ['put', 'a', 3], ['put', 'b', 4], ['transaction', ['b'], 'inside.steps'],
      ['transaction', ['a', 'b'], 'inside.codes'],
    ])
    expect(await cache.getMany(['a', 'b'])).to.deep.equal([3, 4])
  })

  it('tell what was begun and not waited for, which belongs to the transaction', async () => {
    await start(log(['put', 'putMany', 'fetch', 'transaction']))
    const nested: Step = ['transaction', ['d'], 'inside.steps', { args: [['put', 'd', 2]] }]
    await cache.transaction(['a', 'b', 'c', 'd'], inside.careless, { args: [['put', 'a', 1], ['putMany', [['b', 1]]], ['fetch', 'c', 'inside.nothing'], nested] })
    expect((await seen()).map(([message]) => (message as unknown[])[0])).to.deep.equal(['put', 'putMany', 'fetch', 'put', 'transaction', 'transaction'])
    expect(await cache.getMany(['a', 'b', 'd'])).to.deep.equal([1, 1, 2])
  })

  it('tell nothing of what is done in a transaction with notify: false, or in one of a hook', async () => {
    const hook = registerFunction('noted.transaction', async (message: unknown[], _result: unknown, _state: unknown, quiet: Cache<unknown>) => {
      if (message[1] === 'a') await quiet.transaction(['b'], inside.steps, { args: [['put', 'b', 2], ['get', 'b']] })
    })
    await start([...log(['put', 'get', 'transaction']), { name: 'transaction', handle: hook, actions: ['put'], async: false }])
    const nested: Step = ['transaction', ['a'], 'inside.steps', { args: [['put', 'a', 2]] }]
    await cache.transaction(['a'], inside.steps, { args: [['put', 'a', 1], nested, ['get', 'a']], notify: false })
    await steps(['c'], ['put', 'c', 1], ['transaction', ['c'], 'inside.steps', { args: [['put', 'c', 2]], notify: false }])
    await cache.put('a', 3)
    expect(await cache.get('b', { notify: false })).to.equal(2)
    expect((await seen()).map(([message]) => (message as unknown[]).slice(0, 2))).to.deep.equal([['put', 'c'], ['transaction', ['c']], ['put', 'a']])
    await cache.stop()
    hook.unregister()
  })

  it('tell the same of a function that a thread has registered, and of a message that was told', async () => {
    const here = registerFunction('noted.here', async (tx: Transaction<unknown>, value: number) => tx.put('a', value))
    await start(log(['put']))
    await cache.transaction(['a'], here, { args: [1] })
    cache.tell(['transaction', ['a'], here, { args: [2] }])
    await cache.transaction(['a'], 'inside.nothing')
    here.unregister()
    await until(async () => (await list()).length === 2, 'both')
    expect(await seen()).to.deep.equal([[['put', 'a', 1], true], [['put', 'a', 2], true]])
  })

  it('are waited for where they are synchronous, with the keys free, but no longer than the caller waits', async () => {
    const order: string[] = []
    let release = (): void => undefined
    const released = new Promise<void>((resolve) => (release = resolve))
    const hook = registerFunction('noted.hook', async (message: unknown[], _result: unknown, _state: unknown, quiet: Cache<unknown>) => {
      order.push('hook')
      await quiet.put(message[1] as string, 'by the hook', { timeout: 1000 })
      if (message[2] === 'slow') await released
      order.push('hook ended')
    })
    await start([{ name: 'log', handle: hook, actions: ['put'], async: false }])
    await steps(['a'], ['put', 'a', 1]).then(() => order.push('transaction'))
    expect(order).to.deep.equal(['hook', 'hook ended', 'transaction'])
    expect(await cache.get('a')).to.equal('by the hook')
    const begun = performance.now()
    expect(await cache.transaction(['a'], inside.steps, { args: [['put', 'a', 'slow']], timeout: 200 })).to.deep.equal([true])
    expect(performance.now() - begun).to.be.at.least(190)
    expect(order.slice(3)).to.deep.equal(['hook'])
    release()
    await cache.stop()
    hook.unregister()
  })

  it('before an action hear of a write when it has committed, once', async () => {
    await start(log(['put'], { when: 'before', async: false }))
    await steps(['a'], ['put', 'a', 1], ['put', 'a', 2])
    expect(await list()).to.deep.equal([[['put', 'a', 1], undefined], [['put', 'a', 2], undefined]])
  })

  it('subscribers hear of them too, in order, with what came before and after', async () => {
    await start([])
    const events = cache.events({ actions: ['put'] })
    await cache.put('a', 0)
    await steps(['a', 'b'], ['put', 'a', 1], ['put', 'b', 2])
    await cache.put('b', 3)
    const messages: unknown[] = []
    for await (const { message } of events) if (messages.push(message) === 4) break
    expect(messages).to.deep.equal([['put', 'a', 0], ['put', 'a', 1], ['put', 'b', 2], ['put', 'b', 3]])
  })
})
