import { expect } from 'chai'
import { registerFunction, startNode, type Cache, type CacheNode, type RegisteredFunction } from 'scatterhoard'
import { threadId } from 'node:worker_threads'
import { callFunction, type FunctionTask } from '../../../actors/functions/function-call.js'
import { AttachedThread } from '../attached-thread.js'
import { expectTypeError, rejected, thrown, until } from '../expectations.js'
import { jobs } from './pool-functions.js'

const MODULE = new URL('./pool-functions.js', import.meta.url).href

describe('a registered function', () => {
  let node: CacheNode
  let cache: Cache<number>
  let thread: AttachedThread
  let other: AttachedThread
  const here: RegisteredFunction[] = []

  before(async () => {
    node = await startNode({ name: 'registered', shardThreads: 1, pool: { threads: 1 } })
    cache = await node.startCache<number>('registered', { shards: 1, memory: '1mb', functions: [jobs] })
  })
  after(() => node.stop())
  beforeEach(async () => {
    [thread, other] = [new AttachedThread(), new AttachedThread()]
    await Promise.all([thread.attach(cache), other.attach(cache)])
  })
  afterEach(async () => {
    for (const reference of here.splice(0)) reference.unregister()
    await Promise.all([thread.end(), other.end()])
  })

  /** Registers on the main thread. */
  function register(name: string, run: (...args: never[]) => unknown, options?: { each?: boolean }): RegisteredFunction {
    const reference = registerFunction(name, run, options)
    here.push(reference)
    return reference
  }

  async function call(name: string, args: readonly unknown[] = [], more: Partial<FunctionTask> = {}): Promise<unknown> {
    return (await callFunction(node.client, { name, args, limitMs: 5000, cacheId: 'cache:registered', modules: [MODULE], rerun: true, ...more })).value
  }

  const on = (at: AttachedThread, name: string, says: string, each = false): Promise<unknown> => at.do({ do: 'registerFunction', name, each, says })

  it('runs on the thread that registered it, with copies, whoever calls', async () => {
    register('test.here', (...args: unknown[]) => [threadId, ...args])
    const argument = { list: [1n] }
    const result = call('test.here', [argument])
    argument.list.push(2n)
    expect(await result).to.deep.equal([threadId, { list: [1n] }])
    await on(thread, 'test.there', 'there')
    expect(await call('test.there', [new Map([[1, 2]])])).to.deep.equal(['there', thread.worker.threadId, new Map([[1, 2]])])
  })

  it('gets the handle of a cache, also on a thread that has not attached it', async () => {
    const second = await node.startCache('second', { shards: 1, memory: '1mb' })
    await on(thread, 'test.gift', 'gift')
    const gift = { what: 'cache', place: 'first' } as const
    expect(await call('test.gift', [], { gift })).to.deep.equal(['gift', thread.worker.threadId, 'registered'])
    expect(await call('test.gift', [], { gift, cacheId: 'cache:second' })).to.deep.equal(['gift', thread.worker.threadId, 'second'])
    await second.stop()
    await rejected(call('test.gift', [], { gift, cacheId: 'cache:second' }), 'ERR_NO_CACHE')
  })

  it('is taken back also when a node has stopped whose threads ended in the middle of looking at its names', async () => {
    const stopped = await startNode({ name: 'stopped', shardThreads: 1, pool: { threads: 1 } })
    const reference = registerFunction('test.stopped', () => 1)
    await stopped.stop()
    Atomics.store(new Int32Array(stopped.client.names.buffer), 0, 99)
    reference.unregister()
    register('test.stopped', () => 2)
    expect(await call('test.stopped')).to.equal(2)
  })

  it('goes before a module\'s function of its name, and that one is back when it is unregistered', async () => {
    expect(await call('jobs.add', [1, 2])).to.equal(3)
    await on(thread, 'jobs.add', 'instead')
    expect(await call('jobs.add', [1, 2])).to.deep.equal(['instead', thread.worker.threadId, 1, 2])
    await thread.do({ do: 'unregister', name: 'jobs.add' })
    expect(await call('jobs.add', [1, 2])).to.equal(3)
  })

  it('whose name another thread has is refused at once with ERR_NAME_TAKEN', async () => {
    const first = register('test.taken', () => 1)
    expect(thrown(() => register('test.taken', () => 2), 'ERR_NAME_TAKEN')).to.include({ function: 'test.taken' })
    await rejected(on(thread, 'test.taken', 'second'), 'ERR_NAME_TAKEN')
    expect(await call('test.taken')).to.equal(1)
    first.unregister()
    first.unregister()
    await on(thread, 'test.taken', 'second')
    expect(thrown(() => register('test.taken', () => 2), 'ERR_NAME_TAKEN')).to.include({ function: 'test.taken' })
    first.unregister()
    expect(await call('test.taken')).to.deep.equal(['second', thread.worker.threadId])
  })

  it('whose name is taken when its thread attaches a cache fails that, and leaves the thread as it was', async () => {
    register('test.late', () => 'first')
    const late = new AttachedThread()
    await late.do({ do: 'registerFunction', name: 'test.early', each: false, says: 'early' })
    await late.do({ do: 'registerFunction', name: 'test.late', each: false, says: 'late' })
    await rejected(late.attach(cache), 'ERR_NAME_TAKEN')
    await rejected(call('test.early'), 'ERR_UNKNOWN_FUNCTION')
    await late.do({ do: 'unregister', name: 'test.late' })
    await late.attach(cache)
    expect(await call('test.early')).to.deep.equal(['early', late.worker.threadId])
    await late.end()
  })

  it('with each: every thread has its own, and others call the one that came first', async () => {
    await on(thread, 'test.each', 'one', true)
    await on(other, 'test.each', 'two', true)
    expect(await call('test.each')).to.deep.equal(['one', thread.worker.threadId])
    expect(await call('test.each', [], { home: 1 })).to.deep.equal(['one', thread.worker.threadId])
    register('test.each', () => 'mine', { each: true })
    expect(await call('test.each')).to.equal('mine')
    here.pop()!.unregister()
    await thread.end()
    await until(async () => (await call('test.each') as unknown[])[0] === 'two', 'the second one')
  })

  it('that throws, does not end or is not there any more says so', async () => {
    await on(thread, 'test.wrong', 'wrong')
    const failure = await rejected(call('test.wrong', ['throw']), 'ERR_FUNCTION_FAILED')
    expect(failure.cause).to.be.instanceOf(RangeError).with.property('message', 'wrong')
    expect(await rejected(call('test.wrong', ['never'], { limitMs: 50 }), 'ERR_FUNCTION_TIMEOUT')).to.include({ outcome: 'none' })
    await thread.do({ do: 'unregister', name: 'test.wrong' })
    for (const name of ['test.wrong', 'constructor', '__proto__', 'toString']) await rejected(call(name), 'ERR_UNKNOWN_FUNCTION')
  })

  it('whose thread is blocked by it fails after its limit, and nobody knows', async () => {
    await on(thread, 'test.blocked', 'blocked')
    expect(await rejected(call('test.blocked', ['hang'], { limitMs: 50 }), 'ERR_FUNCTION_TIMEOUT')).to.include({ outcome: 'unknown', function: 'test.blocked' })
  })

  it('whose thread ends fails, and its name is free', async () => {
    await on(thread, 'test.ends', 'ends')
    const pending = rejected(call('test.ends', ['never']), 'ERR_FUNCTION_FAILED')
    expect(await rejected(call('test.ends', ['end']), 'ERR_FUNCTION_FAILED')).to.include({ outcome: 'unknown' })
    await pending
    await until(() => on(other, 'test.ends', 'again').then(() => true, () => false), 'the name')
    expect(await call('test.ends')).to.deep.equal(['again', other.worker.threadId])
  })

  it('is called again by those who may, and found, after the system thread was killed', async () => {
    await on(thread, 'test.system', 'system')
    register('test.main', () => 'main')
    const pending = Array.from({ length: 5 }, () => call('test.system'))
    await node.kill('system')
    expect(await Promise.all(pending)).to.deep.equal(Array(5).fill(['system', thread.worker.threadId]))
    expect(await call('test.main')).to.equal('main')
    await thread.end()
    await until(() => on(other, 'test.system', 'again').then(() => true, () => false), 'the name')
  })

  it('has a name, is a function, and knows its options', () => {
    for (const name of [undefined, null, 5, '']) expectTypeError(thrown(() => registerFunction(name as never, () => 1)))
    for (const run of [undefined, null, 5, 'f', {}]) expectTypeError(thrown(() => registerFunction('test.f', run as never)))
    for (const options of [null, 5, { every: true }, { each: 1 }]) expectTypeError(thrown(() => registerFunction('test.f', () => 1, options as never)))
    thrown(() => registerFunction('x'.repeat(300), () => 1), 'ERR_TOO_LARGE')
  })
})
