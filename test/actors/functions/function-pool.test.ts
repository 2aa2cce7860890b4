import { expect } from 'chai'
import { startNode, type Cache, type CacheNode } from 'scatterhoard'
import { callFunction, type FunctionResult, type FunctionTask } from '../../../actors/functions/function-call.js'
import { EncodedArguments } from '../../../actors/functions/function-wire.js'
import { functionName } from '../../../runtime/functions.js'
import { encodeKey } from '../../../runtime/codec/key.js'
import { Scratch } from '../../../runtime/codec/scratch.js'
import { encodeValue } from '../../../runtime/codec/value.js'
import { rejected, until, type Failure } from '../expectations.js'
import { thrownKinds } from '../functions.js'
import { jobs } from './pool-functions.js'

const MODULE = new URL('./pool-functions.js', import.meta.url).href

/** Calls of functions from the main thread of a node. */
class Callers {
  readonly node: CacheNode
  readonly cache: Cache<number>

  constructor(node: CacheNode, cache: Cache<number>) {
    this.node = node
    this.cache = cache
  }

  static async start(name: string, pool: { threads?: number; concurrency?: number }): Promise<Callers> {
    const node = await startNode({ name, shardThreads: 1, pool })
    return new Callers(node, await node.startCache<number>(name, { shards: 1, memory: '1mb', functions: [jobs] }))
  }

  call(reference: unknown, args: readonly unknown[] = [], more: Partial<FunctionTask> = {}): Promise<FunctionResult> {
    return callFunction(this.node.client, {
      name: functionName(reference), args, limitMs: 5000, cacheId: `cache:${this.cache.name}`, modules: [MODULE], rerun: true, ...more,
    })
  }

  async value(reference: unknown, args: readonly unknown[] = [], more: Partial<FunctionTask> = {}): Promise<unknown> {
    return (await this.call(reference, args, more)).value
  }
}

describe('a function in the pool', () => {
  let one: Callers
  before(async () => {
    one = await Callers.start('pool', { threads: 1 })
  })
  after(() => one.node.stop())

  it('gets copies of its arguments, and returns a copy of its result', async () => {
    const argument = { list: [1, new Date(5)], map: new Map([['a', 1n]]) }
    const result = one.value(jobs.echo, [argument, undefined, -0])
    argument.list.push(2)
    expect(await result).to.deep.equal([{ list: [1, new Date(5)], map: new Map([['a', 1n]]) }, undefined, -0])
    expect(await one.value('jobs.add', [1, 2])).to.equal(3)
    expect(await one.value(jobs.nothing)).to.equal(undefined)
  })

  it('gets the key first, and the handle of the cache first or last', async () => {
    const scratch = new Scratch()
    encodeKey(['a', 1], scratch)
    const key = scratch.bytes.subarray(0, scratch.end)
    expect(await one.value(jobs.echo, [5], { key })).to.deep.equal([['a', 1], 5])
    expect(await one.value(jobs.nameOf, ['!'], { gift: { what: 'cache', place: 'first' } })).to.equal('pool!')
    expect(await one.value(jobs.nameOfLast, ['!'], { gift: { what: 'cache', place: 'last' } })).to.equal('!pool')
    const failure = await rejected(one.value(jobs.nameOf, ['!'], { gift: { what: 'cache', place: 'first' }, cacheId: 'cache:gone' }), 'ERR_NO_CACHE')
    expect(failure.message).to.include('gone')
  })

  it('gets arguments that were encoded one by one, in different places', async () => {
    const encoded = (value: unknown): Buffer => {
      const into = new Scratch()
      encodeValue(value, into)
      return into.bytes.subarray(0, into.end)
    }
    const cycle: unknown[] = []
    cycle.push(cycle)
    const values = ['a string', undefined, cycle, { n: 1 }]
    const result = await callFunction(one.node.client, {
      name: 'jobs.echo', args: new EncodedArguments(values.map(encoded)), limitMs: 5000, cacheId: 'cache:pool', modules: [MODULE], rerun: true,
    })
    expect(result.value).to.deep.equal(values)
  })

  it('says what is to become of its result: a value, commit with or without an expiry, ignore', async () => {
    const said = async (reference: unknown, ...args: unknown[]): Promise<unknown[]> => {
      const { kind, expireMs, value } = await one.call(reference, args)
      return [kind, expireMs, value]
    }
    expect(await said(jobs.add, 1, 2)).to.deep.equal(['value', undefined, 3])
    expect(await said(jobs.commitAsItIs, 5)).to.deep.equal(['commit', undefined, 5])
    expect(await said(jobs.commitFor, 5, '2s')).to.deep.equal(['commit', 2000, 5])
    expect(await said(jobs.commitFor, 5, null)).to.deep.equal(['commit', null, 5])
    expect(await said(jobs.ignored, undefined)).to.deep.equal(['ignore', undefined, undefined])
    const failure = await rejected(one.call(jobs.commitFor, [5, 'soon']), 'ERR_FUNCTION_FAILED')
    expect((failure.cause as Failure).code).to.equal('ERR_INVALID_ARGUMENT')
    await rejected(one.call(jobs.symbol), 'ERR_UNSUPPORTED_VALUE')
  })

  for (const kind of thrownKinds) {
    it(`that throws or rejects with ${kind} fails its call, and what was thrown is the cause`, async () => {
      for (const reference of [jobs.throws, jobs.rejects]) {
        const failure = await rejected(one.call(reference, [kind]), 'ERR_FUNCTION_FAILED')
        expect(failure.cause).to.not.equal(undefined)
        expect(failure).to.include({ function: functionName(reference), outcome: 'none' })
        if (kind === 'error') expect(failure.cause).to.be.instanceOf(RangeError).with.property('message', 'too far')
      }
    })
  }

  it('that never settles fails at its limit, and its thread goes on', async () => {
    const thread = await one.value(jobs.thread)
    const failure = await rejected(one.call(jobs.never, [], { limitMs: 50 }), 'ERR_FUNCTION_TIMEOUT')
    expect(failure).to.include({ outcome: 'none', timeout: 50, function: 'jobs.never' })
    await rejected(one.call(jobs.busy, [100], { limitMs: 50 }), 'ERR_FUNCTION_TIMEOUT')
    expect(await one.value(jobs.thread)).to.equal(thread)
  })

  it('that ends its process, at once or later, fails its call, and its thread goes on', async () => {
    const thread = await one.value(jobs.thread)
    for (const reference of [jobs.exit, jobs.exitLater]) {
      const beside = one.value(jobs.gate, ['exit'])
      const failure = await rejected(one.call(reference, [3]), 'ERR_FUNCTION_FAILED')
      expect((failure.cause as Error).message).to.include('process.exit(3)')
      await until(() => one.value(jobs.open, ['exit']), 'the gate')
      expect(await beside).to.equal(thread)
    }
  })

  it('that throws where nobody can catch it fails its call, and its thread goes on', async () => {
    const thread = await one.value(jobs.thread)
    const failure = await rejected(one.call(jobs.throwLater), 'ERR_FUNCTION_FAILED')
    expect(failure.cause).to.be.instanceOf(RangeError)
    expect(await one.value(jobs.thread)).to.equal(thread)
  })

  for (const reference of [jobs.hang, jobs.hangLater]) {
    it(`that blocks its thread (${functionName(reference)}) is killed with it; those beside it are run again, or say that nobody knows`, async () => {
      const thread = await one.value(jobs.thread)
      const beside = Promise.all([300, 301].map((ms) => one.value(jobs.later, [ms])))
      const unsure = rejected(one.call(jobs.later, [302], { rerun: false }), 'ERR_FUNCTION_FAILED')
      const hung = await rejected(one.call(reference, [], { limitMs: 50 }), 'ERR_FUNCTION_TIMEOUT')
      expect(hung.outcome).to.equal('none')
      expect(await unsure).to.include({ outcome: 'unknown', function: 'jobs.later' })
      expect(await beside).to.deep.equal([300, 301])
      expect(await one.value(jobs.thread)).to.not.equal(thread)
    }).timeout(30_000)
  }

  it('that fills its memory fails with the death of its thread, and those beside it are run again', async () => {
    const beside = Array.from({ length: 5 }, (_, index) => one.value(jobs.busy, [index]))
    const filling = rejected(one.call(jobs.fill, [], { limitMs: 60_000 }), 'ERR_FUNCTION_FAILED')
    beside.push(...Array.from({ length: 5 }, (_, index) => one.value(jobs.busy, [index])))
    const failure = await filling
    expect((failure.cause as Failure).code).to.equal('ERR_WORKER_OUT_OF_MEMORY')
    expect(await Promise.all(beside)).to.deep.equal([0, 1, 2, 3, 4, 0, 1, 2, 3, 4])
  }).timeout(120_000)

  it('is found by its registered name only', async () => {
    for (const name of ['nobody.home', 'jobs.', 'jobs', 'constructor', '__proto__', 'toString', 'jobs.constructor', 'jobs.__proto__', 'hasOwnProperty']) {
      expect(await rejected(one.call(name), 'ERR_UNKNOWN_FUNCTION')).to.include({ function: name, node: 'pool' })
    }
    for (const closure of [() => 1, function add() { return 1 }, class {}]) {
      expect((await rejected(Promise.resolve().then(() => one.call(closure)), 'ERR_FUNCTION_NOT_REGISTERED')).message).to.include('defineFunctions')
    }
  })

  it('whose module cannot be loaded fails with ERR_MODULE_LOAD, each time', async () => {
    for (const module of ['file:///nowhere/functions.js', new URL('../broken-functions.js', import.meta.url).href]) {
      for (let time = 0; time < 2; time++) {
        expect((await rejected(one.call(jobs.add, [1, 2], { modules: [MODULE, module] }), 'ERR_MODULE_LOAD')).message).to.include(module)
      }
    }
    expect(await one.value(jobs.add, [1, 2])).to.equal(3)
  })

  it('uses caches of its node, those too that started while it ran', async () => {
    await one.cache.put('k', 5)
    expect(await one.value(jobs.read, ['pool', 'k'])).to.equal(5)
    expect(await one.value(jobs.incrBy, ['pool', 'k', 2])).to.equal(7)
    const failure = await rejected(one.value(jobs.read, ['later', 'k']), 'ERR_FUNCTION_FAILED')
    expect((failure.cause as Failure).code).to.equal('ERR_NO_CACHE')
    const later = await one.node.startCache<number>('later', { memory: '1mb', shards: 1 })
    await later.put('k', 1)
    expect(await one.value(jobs.read, ['later', 'k'])).to.equal(1)
    await later.stop()
    expect((await rejected(one.value(jobs.read, ['later', 'k']))).cause).to.have.property('code', 'ERR_NO_CACHE')
    const again = await one.node.startCache<number>('later', { memory: '1mb', shards: 1 })
    expect(await one.value(jobs.read, ['later', 'k'])).to.equal(undefined)
    await again.stop()
  })
})

describe('the function pool', () => {
  it('runs as many functions at a time as it has slots, and no more', async () => {
    const callers = await Callers.start('slots', { threads: 1, concurrency: 2 })
    try {
      await Promise.all([1, 2, 3, 4, 5].map(() => callers.call(jobs.counted, [20])))
      expect(await callers.value(jobs.most)).to.equal(2)
    } finally {
      await callers.node.stop()
    }
  })

  it('has its slots free for others while functions wait for a cache', async () => {
    const callers = await Callers.start('slots', { threads: 1, concurrency: 1 })
    try {
      const order: string[] = []
      const waits = Promise.all([1, 2].map(() => callers.call(jobs.waitFor, ['slots', 'k']).then(() => order.push('waited'))))
      await callers.call(jobs.add, [1, 2]).then(() => order.push('added'))
      await waits
      expect(order).to.deep.equal(['added', 'waited', 'waited'])
    } finally {
      await callers.node.stop()
    }
  })

  it('spreads functions over its threads', async () => {
    const callers = await Callers.start('spread', { threads: 2 })
    try {
      const threads = await Promise.all(Array.from({ length: 8 }, async () => {
        await callers.call(jobs.later, [20])
        return callers.value(jobs.thread)
      }))
      expect(new Set(threads).size).to.equal(2)
    } finally {
      await callers.node.stop()
    }
  })

  it('settles every call while its threads and the system thread are killed: those that may run again do', async () => {
    const callers = await Callers.start('killed', { threads: 2 })
    try {
      await callers.call(jobs.nothing)
      const calls: Promise<unknown>[] = []
      const unsure: Promise<unknown>[] = []
      for (let round = 0; round < 6; round++) {
        for (let index = 0; index < 20; index++) {
          calls.push(callers.value(jobs.later, [index]))
          unsure.push(callers.value(jobs.later, [index], { rerun: false }).catch((error: Failure) => error))
        }
        await callers.node.kill(round % 3 === 2 ? 'system' : `functions/function-thread-${round % 2}`)
      }
      const ends = await Promise.allSettled(calls)
      const failed = ends.flatMap((end) => end.status === 'rejected' ? [end.reason as Failure] : [])
      // Whatever ran alone when it was killed is taken for the cause.
      for (const failure of failed) expect(failure.code).to.equal('ERR_FUNCTION_FAILED')
      expect(failed.length).to.be.at.most(6)
      for (const end of await Promise.all(unsure)) if (end instanceof Error) expect(end).to.include({ code: 'ERR_FUNCTION_FAILED' })
    } finally {
      await callers.node.stop()
    }
  })

  it('stands also if a thread is killed while it starts', async () => {
    const callers = await Callers.start('starting', { threads: 2 })
    try {
      const call = callers.value(jobs.add, [1, 2])
      await until(() => callers.node.kill('functions/function-thread-1').then(() => true, () => false), 'the kill')
      expect(await call).to.equal(3)
    } finally {
      await callers.node.stop()
    }
  })

  it('waits for functions at work when its node stops, and refuses what comes later', async () => {
    const callers = await Callers.start('stopping', { threads: 1 })
    await callers.call(jobs.nothing)
    const working = callers.value(jobs.later, [100])
    const thread = callers.value(jobs.thread)
    expect(await thread).to.be.a('number')
    await Promise.all([callers.node.stop(), working.then((ms) => expect(ms).to.equal(100))])
    await rejected(callers.call(jobs.nothing), 'ERR_STOPPED')
  })
})
