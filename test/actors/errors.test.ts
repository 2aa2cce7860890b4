import { expect } from 'chai'
import { attachCache, cacheSupervisor, CacheError, getCache, startCache, startNode, type Cache, type CacheNode } from 'scatterhoard'
import { AttachedThread } from './attached-thread.js'
import { expectTypeError, rejected, restartsOf, shardPaths, thrown, until, type Failure } from './expectations.js'
import { bad, Slow, sums, thrownKinds } from './functions.js'

const FUNCTIONS = new URL('./functions.js', import.meta.url)

describe('errors of a cache', () => {
  let node: CacheNode
  let cache: Cache<number>

  before(async () => {
    node = await startNode({ name: 'errors', shardThreads: 2, functions: [FUNCTIONS] })
    cache = await node.startCache<number>('errors', { shards: 1, memory: '8mb' })
  })
  after(() => node.stop())
  beforeEach(() => cache.clear())

  it('ERR_INVALID_ARGUMENT: a TypeError, rejected by asynchronous methods, thrown by tell', async () => {
    for (const message of [undefined, null, 'get', {}, [], [5], ['nope', 'k'], ['constructor'], ['__proto__'], ['toString'], ['getSync', 'k'], ['stop'], ['sync'], ['get', 'k', {}, 'more'], ['get', 'k', 5], ['get', 'k', null]]) {
      expectTypeError(await rejected(cache.ask(message as never)))
    }
    for (const message of [undefined, 'put', [], ['nope'], ['put', 'k', 1, { expires: 5 }], ['put', 'k', 1, null], ['get', 'k', { defualt: 1 }], ['getMany', 5], ['put', 'k', 1, { expire: 'soon' }], ['put', 'k', 1, {}, 1]]) expectTypeError(thrown(() => cache.tell(message as never)))
    for (const options of [null, 5, { timeuot: 5 }, { expire: 5 }, { timeout: 'soon' }, { signal: {} }]) expectTypeError(await rejected(cache.ask(['put', 'k', 1], options as never)))
    for (const reference of [undefined, null, 5, '', {}, { name: 'sums.add' }]) expectTypeError(await rejected(cache.getAndUpdate('k', reference as never)))
    for (const options of [{ args: 5 }, { args: {} }, { functionTimeout: 0 }, { functionTimeout: -1 }, { functionTimeout: 'soon' }, null]) expectTypeError(await rejected(cache.getAndUpdate('k', 'sums.double', options as never)))
    for (const descriptor of [undefined, null, 5, {}, { node: {}, cache: {} }]) expectTypeError(await rejected(attachCache(descriptor as never)))
    expect(await cache.isEmpty()).to.equal(true)
  })

  it('ERR_NAME_TAKEN: two caches of one name, also at the same moment', async () => {
    expect(await rejected(node.startCache('errors'), 'ERR_NAME_TAKEN')).to.be.instanceOf(CacheError)
    const starts = await Promise.allSettled([1, 2, 3].map(() => node.startCache('twice', { memory: '1mb', shards: 1 })))
    expect(starts.filter(({ status }) => status === 'fulfilled')).to.have.length(1)
    for (const start of starts) if (start.status === 'rejected') expect((start.reason as CacheError).code).to.equal('ERR_NAME_TAKEN')
    await node.getCache('twice').stop()
  })

  it('ERR_STOPPED: everything after stop, on every handle; the name is free again, and old handles stay stopped', async () => {
    const thread = new AttachedThread()
    const old = await node.startCache<number>('stopping', { shards: 2, memory: '1mb' })
    await thread.attach(old)
    await thread.call('stopping', 'put', 'k', 1)
    await Promise.all([old.stop(), old.stop()])
    await old.stop()
    const refused = async (): Promise<void> => {
      for (const promise of [old.get('k'), old.put('k', 1), old.incr('k'), old.getMany(['k']), old.delMany(['k']), old.getMany([]), old.delMany([]), old.putMany([]), old.transaction([], 'sums.double'), old.ttl('k'), old.exists('k'), old.stream().next(), old.clear(), old.purge(), old.size(), old.keys(), old.isEmpty(), old.inspect('cache'), old.inspect('tree'), old.ask(['get', 'k']), old.getAndUpdate('k', sums.double)]) {
        await rejected(promise, 'ERR_STOPPED')
      }
      for (const act of [() => old.getSync('k'), () => old.existsSync('k'), () => old.tell(['put', 'k', 1]), () => old.tell(['clear']), () => old.tell(['get', 'k']), () => old.attachment()]) thrown(act, 'ERR_STOPPED')
      for (const [name, ...args] of [['get', 'k'], ['put', 'k', 1], ['size'], ['clear']] as const) await rejected(thread.call('stopping', name, ...args), 'ERR_STOPPED')
      await rejected(thread.do({ do: 'tell', cache: 'stopping', message: ['put', 'k', 1] }), 'ERR_STOPPED')
      await rejected(thread.do({ do: 'sync', cache: 'stopping', name: 'getSync', key: 'k' }), 'ERR_STOPPED')
    }
    await refused()
    thrown(() => node.getCache('stopping'), 'ERR_NO_CACHE')
    const again = await node.startCache<number>('stopping', { shards: 2, memory: '1mb' })
    expect(await again.get('k')).to.equal(undefined)
    expect(await again.put('k', 2)).to.equal(true)
    await refused()
    await again.stop()
    await thread.end()
  })

  it('a stop on an attached thread is a stop everywhere', async () => {
    const thread = new AttachedThread()
    const here = await node.startCache<number>('far', { shards: 1, memory: '1mb' })
    await thread.attach(here)
    await thread.do({ do: 'stop', cache: 'far' })
    await rejected(here.get('k'), 'ERR_STOPPED')
    thrown(() => getCache('far'), 'ERR_NO_CACHE')
    const again = await node.startCache<number>('far', { shards: 1, memory: '1mb' })
    expect(await again.put('k', 1)).to.equal(true)
    await again.stop()
    await here.stop()
    await thread.end()
  })

  it('ERR_TIMEOUT: unknown if it may still be carried out, and it bounds the wait, not the work', async () => {
    const busy = cache.getAndUpdate('busy', 'bad.sleep', { args: [300], functionTimeout: 2000 })
    // Written, and behind the one that sleeps.
    const late = await rejected(cache.put('k', 1, { timeout: 20 }), 'ERR_TIMEOUT')
    expect(late.outcome).to.be.oneOf(['unknown', 'none'])
    const begun = await rejected(cache.getAndUpdate('other', 'bad.sleep', { args: [1], timeout: 0 }), 'ERR_TIMEOUT')
    expect(begun['timeout']).to.equal(0)
    await busy
    expect(await cache.get('busy')).to.equal(300)
    const working = await rejected(cache.getAndUpdate('slow', 'bad.sleep', { args: [100], timeout: 50 }), 'ERR_TIMEOUT')
    expect(working.outcome).to.equal('unknown')
    expect(await cache.get('slow')).to.equal(100)
  })

  it('abort: rejects with the reason of the signal, before and meanwhile', async () => {
    const reason = new Error('enough')
    for (const promise of [cache.get('k', { signal: AbortSignal.abort(reason) }), cache.put('k', 1, { signal: AbortSignal.abort(reason) }), cache.clear({ signal: AbortSignal.abort(reason) }), cache.keys({ signal: AbortSignal.abort(reason) }), cache.ask(['size'], { signal: AbortSignal.abort(reason) })]) {
      expect(await rejected(promise)).to.equal(reason)
    }
    const busy = cache.getAndUpdate('busy', 'bad.sleep', { args: [100] })
    const controller = new AbortController()
    const waiting = cache.put('k', 1, { signal: controller.signal })
    setTimeout(() => controller.abort(reason), 10)
    expect(await rejected(waiting)).to.equal(reason)
    await busy
    expect(await rejected(cache.get('k', { signal: AbortSignal.abort() }))).to.have.property('name', 'AbortError')
  })

  it('ERR_MAILBOX_FULL: with overflow reject, and where no more may wait; tell is false and counted; all works again afterwards', async () => {
    for (const [overflow, waiting] of [['reject', 100], ['wait', 3]] as const) {
      const tiny = await node.startCache<number>('tiny', { shards: 1, memory: '1mb', mailbox: { messages: 4, bytes: 1024, overflow, waiting } })
      await tiny.put('k', 0)
      const busy = tiny.getAndUpdate('busy', 'bad.sleep', { args: [150] })
      const ends = await Promise.allSettled(Array.from({ length: 20 }, (_, index) => tiny.put(index, index)))
      const refused = ends.filter((end) => end.status === 'rejected').map(({ reason }) => reason as CacheError)
      expect(refused.length).to.be.within(10, 19)
      for (const error of refused) expect(error).to.include({ code: 'ERR_MAILBOX_FULL', outcome: 'none' })
      await busy
      expect(await tiny.size()).to.equal(2 + 20 - refused.length)
      const again = tiny.getAndUpdate('busy', 'bad.sleep', { args: [100] })
      const told = Array.from({ length: 20 }, (_, index) => tiny.tell(['put', index, index]))
      expect(told).to.include(false)
      await again
      const [mailbox] = await tiny.inspect('mailboxes')
      expect(mailbox).to.include({ dropped: told.filter((queued) => !queued).length, refused: refused.length })
      expect(await tiny.put('after', 1)).to.equal(true)
      await tiny.stop()
    }
  })

  it('a mailbox in which nothing may wait takes what fits, from the first call on', async () => {
    const strict = await node.startCache<string>('strict', { shards: 1, memory: '4mb', mailbox: { waiting: 0 } })
    expect(strict.tell(['put', 'told', '1'])).to.equal(true)
    expect(await strict.put('first', '1')).to.equal(true)
    expect(await strict.get('told')).to.equal('1')
    await strict.stop()
  })

  it('ERR_FULL with the policy none: nothing changed, what is there can be overwritten and removed', async () => {
    const full = await node.startCache<string>('full', { shards: 1, memory: '256kb', limit: { policy: 'none' } })
    let stored = 0
    while (await full.put(stored, 'x'.repeat(100)).then(() => true, (error: unknown) => (expect(error).to.include({ code: 'ERR_FULL', outcome: 'none' }), false))) stored++
    expect(await full.size()).to.equal(stored)
    expect(await full.exists(stored)).to.equal(false)
    expect(await full.put(0, 'y'.repeat(100))).to.equal(true)
    expect(await full.get(0)).to.equal('y'.repeat(100))
    await full.delMany(Array.from({ length: stored >> 1 }, (_, index) => index))
    expect(await full.put('room', 'z'.repeat(100))).to.equal(true)
    await full.stop()
  })

  it('ERR_FUNCTION_NOT_REGISTERED: a closure, with the way to register it', async () => {
    for (const closure of [() => 1, function named() { return 1 }, class {}]) {
      const error = await rejected(cache.getAndUpdate('k', closure as never), 'ERR_FUNCTION_NOT_REGISTERED')
      expect(error.message).to.include('defineFunctions')
    }
  })

  it('ERR_UNKNOWN_FUNCTION: names the function and the node; names of every object are unknown', async () => {
    for (const name of ['nobody', 'sums.nobody', 'constructor', '__proto__', 'toString', 'hasOwnProperty', 'sums.constructor', 'sums.__proto__', 'sums', '.']) {
      const error = await rejected(cache.getAndUpdate('k', name), 'ERR_UNKNOWN_FUNCTION')
      expect(error).to.include({ function: name, node: 'errors', outcome: 'none' })
      expect(error.message).to.include(`'${name}'`).and.to.include('\'errors\'')
    }
  })

  it('ERR_ASYNC_FUNCTION: a promise, or anything with then', async () => {
    for (const name of ['bad.later', 'bad.thenable']) expect((await rejected(cache.getAndUpdate('k', name), 'ERR_ASYNC_FUNCTION')).outcome).to.equal('none')
    expect(await cache.exists('k')).to.equal(false)
  })

  it('ERR_FUNCTION_FAILED with the cause, whatever is thrown, and the shard goes on', async () => {
    const before = await restartsOf(cache)
    for (const kind of thrownKinds) {
      const error = await rejected(cache.getAndUpdate('k', bad.fail as never, { args: [kind] } as never), 'ERR_FUNCTION_FAILED')
      expect(error.cause, kind).to.not.equal(undefined)
      expect(error).to.include({ function: 'bad.fail', outcome: 'none' })
      if (kind === 'error') {
        expect(error.cause).to.be.instanceOf(RangeError).and.to.include({ message: 'too far' })
        expect((error.cause as Error).cause).to.include({ message: 'the cause' })
      }
    }
    expect(await cache.exists('k')).to.equal(false)
    expect(await restartsOf(cache)).to.equal(before)
  })

  it('a result that cannot be stored: its own call fails, nothing is stored', async () => {
    await cache.put('k', 1)
    await rejected(cache.getAndUpdate('k', 'bad.closure'), 'ERR_UNSUPPORTED_VALUE')
    await rejected(cache.getAndUpdate('k', 'bad.commitUndefined'), 'ERR_UNSUPPORTED_VALUE')
    expectTypeError(await rejected(cache.getAndUpdate('k', 'bad.commitBadly')))
    await rejected(cache.getAndUpdate('k', 'bad.huge', { args: [4_000_000] }), 'ERR_TOO_LARGE')
    expect(await cache.get('k')).to.equal(1)
  })

  it('ERR_FUNCTION_TIMEOUT: a hanging function is killed, the table stays, what is queued runs, and no restart is counted', async () => {
    const guarded = await node.startCache<number>('guarded', { shards: 1, memory: '1mb', functionTimeout: 100, supervision: { maxRestarts: 0 } })
    await guarded.put('kept', 1)
    for (let round = 0; round < 3; round++) {
      const hanging = guarded.getAndUpdate('k', bad.hang)
      const queued = guarded.put('queued', round)
      const error = await rejected(hanging, 'ERR_FUNCTION_TIMEOUT')
      expect(error.outcome).to.equal('none')
      await queued
      expect(await guarded.getMany(['kept', 'queued', 'k'])).to.deep.equal([1, round, undefined])
    }
    await rejected(guarded.getAndUpdate('k', bad.hang, { functionTimeout: '20ms' }), 'ERR_FUNCTION_TIMEOUT')
    expect(await guarded.getAndUpdate('k', 'bad.sleep', { args: [200], functionTimeout: 2000 })).to.equal(200)
    await guarded.stop()
  })

  it('ERR_FUNCTION_TIMEOUT covers all of an application\'s code that runs for a call: getters, toData and fromData too', async () => {
    const guarded = await node.startCache('guarded', { shards: 1, memory: '1mb', functionTimeout: 100, supervision: { maxRestarts: 0 } })
    await guarded.put('kept', 1)
    for (const how of ['getter', 'then', 'class', 'error']) {
      const error = await rejected(guarded.getAndUpdate('kept', 'bad.hangLater', { args: [how] }), 'ERR_FUNCTION_TIMEOUT')
      expect(error.outcome, how).to.equal('none')
      expect(await guarded.get('kept'), how).to.equal(1)
    }
    await guarded.getAndUpdate('slow', 'bad.store')
    await rejected(guarded.getAndUpdate('slow', 'sums.nothing'), 'ERR_FUNCTION_TIMEOUT')
    await rejected(guarded.incr('slow'), 'ERR_FUNCTION_TIMEOUT')
    await rejected(guarded.getAndUpdate('kept', 'sums.nothing', { args: [new Slow(false)] }), 'ERR_FUNCTION_TIMEOUT')
    expect(await guarded.get('slow')).to.be.instanceOf(Slow)
    await guarded.stop()
  })

  it('a result that differs each time it is read is stored as it is returned', async () => {
    const returned = await cache.getAndUpdate('shifting', 'bad.shifting')
    expect(await cache.get('shifting')).to.deep.equal(returned)
  })

  it('ERR_SHARD_CRASHED: a function that exits its thread; unknown, not run again, and nothing else is lost', async () => {
    await cache.put('kept', 1)
    const queued: Promise<unknown>[] = []
    const exiting = cache.getAndUpdate('k', bad.exit, { args: [1] })
    for (let index = 0; index < 50; index++) queued.push(cache.incr('n'))
    expect((await rejected(exiting, 'ERR_SHARD_CRASHED')).outcome).to.equal('unknown')
    await Promise.all(queued)
    expect(await cache.getMany(['kept', 'n', 'k'])).to.deep.equal([1, 50, undefined])
  })

  it('a killed thread: entries and queued messages stay, reads go on meanwhile', async () => {
    const [path] = await shardPaths(cache)
    await cache.put('kept', 1)
    const killing = node.kill(path!)
    for (let read = 0; read < 100; read++) expect(cache.getSync('kept')).to.equal(1)
    const puts = Promise.allSettled(Array.from({ length: 100 }, (_, index) => cache.put(index, index)))
    await killing
    const failures = (await puts).flatMap((put) => (put.status === 'rejected' ? [put.reason as Failure] : []))
    // The one that the thread may have been working on, and none that was queued.
    for (const failure of failures) expect(failure).to.include({ code: 'ERR_SHARD_CRASHED', outcome: 'unknown' })
    expect(failures.length).to.be.at.most(1)
    expect(await cache.size()).to.be.within(101 - failures.length, 101)
  })

  it('ERR_MODULE_LOAD: at start, naming the module, and nothing is left behind', async () => {
    for (const module of ['file:///nowhere/functions.js', 'data:text/javascript,throw new Error("no")', 'data:text/javascript,syntax error', 'node:nothing']) {
      const error = await rejected(node.startCache('unloadable', { functions: [module], shards: 1, memory: '1mb' }), 'ERR_MODULE_LOAD')
      expect(error.message).to.include(module.slice(0, 20))
      thrown(() => node.getCache('unloadable'), 'ERR_NO_CACHE')
    }
    const after = await node.startCache('unloadable', { shards: 1, memory: '1mb' })
    await after.stop()
  })

  it('a module of functions that starts a cache is refused at start', async () => {
    const index = import.meta.resolve('scatterhoard')
    const module = `data:text/javascript,import { startCache } from ${JSON.stringify(index)}; await startCache('inner')`
    const error = await rejected(node.startCache('outer', { functions: [module], shards: 1, memory: '1mb' }), 'ERR_MODULE_LOAD')
    expect(error.message).to.include('thread of the library')
  })

  it('ERR_NO_CACHE: getCache where there is none', () => {
    thrown(() => getCache('nowhere'), 'ERR_NO_CACHE')
    thrown(() => node.getCache('constructor'), 'ERR_NO_CACHE')
    expect(node.getCache('errors')).to.equal(cache)
    expect(getCache('errors')).to.equal(cache)
  })

  it('a cache of a supervisor of the application is not stopped by its handle, and goes on', async () => {
    const { supervisor } = await import('scatterhoard/runtime')
    const app = await node.spawn(supervisor({ id: 'app', children: [cacheSupervisor('inside', { shards: 1, memory: '1mb' })] }))
    const inside = node.getCache<number>('inside')
    await inside.put('k', 1)
    await rejected(inside.stop(), 'ERR_INVALID_ARGUMENT')
    expect(await inside.incr('k')).to.equal(2)
    await rejected(startCacheOn(node, 'inside'), 'ERR_NAME_TAKEN')
    await app.stop()
    await until(() => inside.get('k').then(() => false, (error: unknown) => (error as CacheError).code === 'ERR_STOPPED'), 'the stop of the cache')
    thrown(() => node.getCache('inside'), 'ERR_NO_CACHE')
  })

  it('a start that fails leaves the default node as it was', async () => {
    await rejected(startCache('x', { functions: ['file:///nowhere.js'], shards: 1, memory: '1mb' }), 'ERR_MODULE_LOAD')
    const one = await startCache<number>('one', { shards: 1, memory: '1mb' })
    await rejected(startCache('x', { functions: ['file:///nowhere.js'], shards: 1, memory: '1mb' }), 'ERR_MODULE_LOAD')
    expect(await one.put('k', 1)).to.equal(true)
    const [, two] = await Promise.all([one.stop(), startCache<number>('two', { shards: 1, memory: '1mb' })])
    expect(await two.put('k', 1)).to.equal(true)
    await two.stop()
  })
})

function startCacheOn(node: CacheNode, name: string): Promise<unknown> {
  return node.startCache(name, { shards: 1, memory: '1mb' })
}
