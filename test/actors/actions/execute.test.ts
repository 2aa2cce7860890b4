import { expect } from 'chai'
import { registerFunction, startNode, type Cache, type CacheNode } from 'scatterhoard'
import { AttachedThread } from '../attached-thread.js'
import { expectTypeError, rejected, thrown, until } from '../expectations.js'
import { jobs } from '../functions/pool-functions.js'

describe('execute', () => {
  let node: CacheNode
  let cache: Cache<number>

  before(async () => {
    node = await startNode({ name: 'here', shardThreads: 1, pool: { threads: 1, concurrency: 1 } })
    cache = await node.startCache<number>('executed', { shards: 1, memory: '1mb', functions: [jobs] })
  })
  after(() => node.stop())
  beforeEach(() => cache.clear())

  it('runs a function of a module on the cache, as a method, as a message, from another thread', async () => {
    expect(await cache.execute(jobs.bump, { args: ['n', 2] })).to.equal(2)
    expect(await cache.execute('jobs.bump', { args: ['n', 3], key: 'n', node: 'here', functionTimeout: '2s' })).to.equal(5)
    expect(await cache.ask(['execute', jobs.bump, { args: ['n', 1] }])).to.equal(6)
    expect(cache.tell(['execute', 'jobs.bump', { args: ['n', 10] }])).to.equal(true)
    await until(async () => await cache.get('n') === 16, 'what was told')
    const thread = new AttachedThread()
    await thread.attach(cache)
    expect(await thread.call('executed', 'execute', 'jobs.bump', { args: ['n', 1] })).to.equal(17)
    await thread.end()
  })

  it('runs a registered function where it is registered', async () => {
    const registered = registerFunction('test.local', async (of: Cache<number>, key: string) => [of === cache, await of.get(key)])
    await cache.put('n', 1)
    expect(await cache.execute(registered, { args: ['n'] })).to.deep.equal([true, 1])
    registered.unregister()
    await rejected(cache.execute('test.local', { args: ['n'] }), 'ERR_UNKNOWN_FUNCTION')
  })

  it('gives the value of what commit and ignore hold', async () => {
    expect(await cache.execute(jobs.wrapped, { args: [5] })).to.equal(5)
  })

  it('from inside one holds no slot of its thread: with one slot, ten deep', async () => {
    expect(await cache.execute(jobs.descend, { args: [10] })).to.equal(10)
  })

  it('goes on when its caller has given up', async () => {
    expect(await rejected(cache.execute(jobs.bumpLater, { args: ['n'], timeout: 5 }), 'ERR_TIMEOUT')).to.include({ outcome: 'unknown' })
    const abort = new AbortController()
    const aborted = rejected(cache.execute(jobs.bumpLater, { args: ['n'], signal: abort.signal }))
    abort.abort(new Error('enough'))
    expect((await aborted).message).to.equal('enough')
    await until(async () => await cache.get('n') === 2, 'both')
  })

  it('fails as its function does, and refuses what it cannot do', async () => {
    expect((await rejected(cache.execute('jobs.bump', { args: ['n', 'one'] }), 'ERR_FUNCTION_FAILED')).cause).to.have.property('code', 'ERR_INVALID_ARGUMENT')
    await rejected(cache.execute('jobs.never', { functionTimeout: 20 }), 'ERR_FUNCTION_TIMEOUT')
    await rejected(cache.execute('nobody.home'), 'ERR_UNKNOWN_FUNCTION')
    await rejected(cache.execute((() => 1) as never), 'ERR_FUNCTION_NOT_REGISTERED')
    await rejected(cache.execute(jobs.bump, { args: ['n', 1], key: (() => 1) as never }), 'ERR_INVALID_KEY')
    await rejected(cache.execute('jobs.bump', { args: [() => 1] }), 'ERR_UNSUPPORTED_VALUE')
    thrown(() => cache.tell(['execute', 'jobs.bump', { args: [() => 1] }]), 'ERR_UNSUPPORTED_VALUE')
    for (const options of [{ args: 5 }, { args: {} }, { functionTimeout: 0 }, { node: 'elsewhere' }, { node: 5 }, { arguments: [] }, null]) {
      expectTypeError(await rejected(cache.execute('jobs.bump', options as never)))
    }
    for (const reference of [undefined, null, 5, '', {}]) expectTypeError(await rejected(cache.execute(reference as never)))
    expect(await cache.isEmpty()).to.equal(true)
  })
})
