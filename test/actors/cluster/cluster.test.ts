import { expect } from 'chai'
import { commit, registerClass, registerFunction, type Cache, type CacheStats } from 'scatterhoard'
import { AttachedThread } from '../attached-thread.js'
import { expectTypeError, rejected, thrown, until } from '../expectations.js'
import { sums } from '../functions.js'
import { inside } from '../transactions/transaction-functions.js'
import { beside } from './cluster-functions.js'
import { keysOf, startTogether, type Together } from './nodes.js'

class Point {
  constructor(readonly x: number) {}
}
registerClass('cluster.Point', Point, { toData: ({ x }) => x, fromData: (x) => new Point(x) })

describe('a cache on two nodes', () => {
  let together: Together
  let a: Cache<unknown>
  let b: Cache<unknown>
  let mine: string
  let theirs: string
  let others: string[]

  before(async () => {
    together = await startTogether(['a', 'b'])
    ;[a, b] = await together.start('shared', { functions: [sums, beside, inside], stats: true, commands: { double: { type: 'read', execute: sums.double } } }) as [Cache<unknown>, Cache<unknown>]
    mine = keysOf(a, 'a')[0]!
    others = keysOf(a, 'b', 3)
    theirs = others[0]!
  })
  after(() => together.stop())
  beforeEach(() => a.clear())

  it('has every key on one of them, and both agree on which', async () => {
    for (let number = 0; number < 100; number++) expect(a.nodeOf(number)).to.equal(b.nodeOf(number))
    expect(thrown(() => a.nodeOf(undefined as never)).code).to.equal('ERR_INVALID_KEY')
    await a.put(theirs, 1)
    await a.put(mine, 2)
    expect([await a.get(theirs), await b.get(theirs), await b.get(mine)]).to.deep.equal([1, 1, 2])
    expect([b.getSync(theirs), a.getSync(mine)]).to.deep.equal([1, 2])
    expect([await a.size({ local: true }), await b.size({ local: true }), await a.size()]).to.deep.equal([1, 1, 2])
  })

  it('does what every action on a key does, from the node that has it and from the other', async () => {
    for (const key of [mine, theirs]) {
      for (const cache of [a, b]) {
        await a.clear()
        expect(await cache.put(key, 1)).to.equal(true)
        expect(await cache.put(key, 2, { if: 'absent' })).to.equal(false)
        expect(await cache.update(key, 5)).to.equal(true)
        expect(await cache.exists(key)).to.equal(true)
        expect([await cache.incr(key, 2), await cache.decr(key)]).to.deep.equal([7, 6])
        expect(await cache.expire(key, '1h')).to.equal(true)
        expect(await cache.ttl(key)).to.be.within(3_500_000, 3_600_000)
        expect(await cache.expireAt(key, new Date(Date.now() + 60_000))).to.equal(true)
        expect(await cache.ttl(key)).to.be.within(50_000, 60_000)
        expect([await cache.refresh(key), await cache.touch(key), await cache.persist(key)]).to.deep.equal([true, true, true])
        expect(await cache.ttl(key)).to.equal(null)
        expect(await cache.getAndUpdate(key, 'sums.add', { args: [4] })).to.equal(10)
        expect(await cache.invoke('double', key)).to.equal(20)
        expect(await cache.take(key)).to.equal(10)
        expect(await cache.get(key)).to.equal(undefined)
        expect(await cache.get(key, { default: 'none' })).to.equal('none')
        expect([await cache.del(key), await cache.ttl(key)]).to.deep.equal([false, undefined])
        expect(await cache.incr(key, 1, { default: 41 })).to.equal(42)
      }
    }
  })

  it('takes messages, asked and told, and calls of other threads', async () => {
    expect(await a.ask(['put', theirs, 1])).to.equal(true)
    expect(a.tell(['incr', theirs, 4])).to.equal(true)
    // It comes behind what was told.
    expect(await a.ask(['get', theirs])).to.equal(5)
    expect(a.tell(['delMany', [mine, theirs]])).to.equal(true)
    await until(async () => await a.isEmpty(), 'an empty cache')
    const thread = new AttachedThread()
    await thread.attach(a)
    expect(await thread.call('shared', 'put', theirs, { from: 'a thread' })).to.equal(true)
    expect(await thread.call('shared', 'get', theirs)).to.deep.equal({ from: 'a thread' })
    await thread.end()
  })

  it('carries values of every kind, classes included, which the threads between need not know', async () => {
    const value = { point: new Point(3), map: new Map([[1, new Set([2n])]]), when: new Date(5), holes: [, 1], error: new RangeError('no') }
    await a.put(theirs, value)
    const copy = await a.get(theirs) as typeof value
    expect(copy).to.deep.equal(value)
    expect(copy.point).to.be.instanceOf(Point)
    expect((await a.getMany([theirs]))[0]).to.deep.equal(value)
    expect((await a.export())[0]!.value).to.deep.equal(value)
  })

  it('refuses what is wrong as one node does, with the path inside the value', async () => {
    const refused = await rejected(a.put(theirs, { in: [() => 1] }), 'ERR_UNSUPPORTED_VALUE')
    expect(refused.message).to.equal((await rejected(b.put(theirs, { in: [() => 1] }), 'ERR_UNSUPPORTED_VALUE')).message)
    await rejected(a.put(theirs, undefined), 'ERR_UNSUPPORTED_VALUE')
    await rejected(a.put({ no: Symbol('key') } as never, 1), 'ERR_INVALID_KEY')
    await rejected(a.put(theirs, 'x'.repeat(3 << 20)), 'ERR_TOO_LARGE')
    expectTypeError(await rejected(a.put(theirs, 1, { expire: 'soon' as never })))
    expectTypeError(await rejected(a.get(theirs, { nothing: 1 } as never)))
    await a.put(theirs, 'text')
    await rejected(a.incr(theirs), 'ERR_NON_NUMERIC_VALUE')
    expect(await a.get(theirs)).to.equal('text')
  })

  it('reads synchronously, and with local, only what is its own', async () => {
    expect(thrown(() => a.getSync(theirs), 'ERR_REMOTE_KEY')).to.include({ node: 'b' })
    thrown(() => a.existsSync(theirs), 'ERR_REMOTE_KEY')
    for (const act of [a.get(theirs, { local: true }), a.put(theirs, 1, { local: true }), a.getMany([mine, theirs], { local: true }), a.putMany([[theirs, 1]], { local: true }), a.import([{ key: theirs, value: 1 }], { local: true })]) {
      expect(await rejected(act, 'ERR_REMOTE_KEY')).to.include({ outcome: 'none' })
    }
    expect(await a.put(mine, 1, { local: true })).to.equal(true)
    expect(await a.isEmpty({ local: true })).to.equal(false)
    expect(await b.isEmpty({ local: true })).to.equal(true)
    expect(await b.size()).to.equal(1)
  })

  it('gathers the keys of getMany and delMany, and refuses putMany and transactions across nodes before anything has happened', async () => {
    await a.put(mine, 1)
    await a.put(theirs, 2)
    expect(await a.getMany([theirs, 'nobody', mine, theirs])).to.deep.equal([2, undefined, 1, 2])
    expect(await a.getMany([])).to.deep.equal([])
    expect(await rejected(a.putMany([[mine, 0], [theirs, 0]]), 'ERR_CROSS_SLOT')).to.include({ outcome: 'none' })
    await rejected(a.transaction([mine, theirs], inside.steps, { args: [['put', mine, 0]] }), 'ERR_CROSS_SLOT')
    expect(await a.getMany([mine, theirs])).to.deep.equal([1, 2])
    expect(await a.delMany(new Set([mine, theirs, 'nobody']) as never)).to.equal(2)
    expect(await b.isEmpty()).to.equal(true)
  })

  it('keeps keys with one tag together, for putMany and transactions', async () => {
    const tag = `{${theirs}}`
    expect(a.nodeOf(`${tag}:x`)).to.equal('b')
    await a.putMany([[`${tag}:x`, 1], [`${tag}:y`, 2]], { expire: '1h' })
    expect(await a.transaction([`${tag}:x`, `${tag}:y`], inside.steps, { args: [['get', `${tag}:x`], ['incr', `${tag}:y`, 40]] })).to.deep.equal([1, 42])
    expect(await rejected(a.transaction([`${tag}:x`], inside.steps, { args: [['put', `${tag}:y`, 0]] }))).to.include({ code: 'ERR_KEY_NOT_LOCKED' })
    expect(await b.get(`${tag}:y`)).to.equal(42)
  })

  it('loads a missing key once, on the node that has it', async () => {
    const loaded = await Promise.all([a, b, a, b].flatMap((cache) => Array.from({ length: 5 }, () => cache.fetch(theirs, 'beside.load'))))
    expect(new Set(loaded).size).to.equal(1)
    expect(b.getSync(theirs)).to.equal(loaded[0])
    await rejected(a.fetch('missing', 'nobody.knows'), 'ERR_UNKNOWN_FUNCTION')
    await rejected(a.fetch(theirs, (() => 1) as never), 'ERR_FUNCTION_NOT_REGISTERED')
  })

  it('runs functions that a thread has registered on that thread, for keys of the other node too, and never for the other node', async () => {
    let running = 0
    let most = 0
    const loaded: unknown[] = []
    const load = registerFunction('cluster.load', async (key: string, more: Point) => {
      loaded.push(key)
      await Promise.resolve()
      return commit({ key, more }, { expire: '1h' })
    })
    const add = registerFunction('cluster.add', async (value: number | undefined, by: number) => {
      most = Math.max(most, ++running)
      await Promise.resolve()
      running--
      return (value ?? 0) + by
    })
    const fails = registerFunction('cluster.fails', () => { throw new RangeError('no source') })
    // Both nodes of this test are in one process, on whose main thread this is registered for both of them.
    const fetched = await Promise.all(Array.from({ length: 10 }, () => a.fetch(theirs, load as never, { args: [new Point(1)] } as never)))
    for (const value of fetched) expect(value).to.deep.equal({ key: theirs, more: new Point(1) })
    expect(loaded).to.deep.equal([theirs])
    expect(b.getSync(theirs)).to.deep.equal(fetched[0])
    expect(await b.ttl(theirs)).to.be.within(3_500_000, 3_600_000)
    expect(await rejected(a.fetch(others[1]!, fails as never), 'ERR_FUNCTION_FAILED')).to.have.nested.property('cause.message', 'no source')
    expect(await a.get(others[1]!)).to.equal(undefined)
    await Promise.all(Array.from({ length: 20 }, () => a.getAndUpdate(others[2]!, add as never, { args: [2] })))
    expect(b.getSync(others[2]!)).to.equal(40)
    expect(most).to.equal(1)
    expect(await rejected(a.execute('cluster.add', { args: [1], node: 'b' }), 'ERR_UNKNOWN_FUNCTION')).to.include({ function: 'cluster.add', node: 'b' })
    for (const registered of [load, add, fails]) registered.unregister()
    expect(await rejected(a.getAndUpdate(others[2]!, 'cluster.add'), 'ERR_UNKNOWN_FUNCTION')).to.include({ function: 'cluster.add', node: 'b' })
  })

  it('executes a function beside a key, on a node, or here', async () => {
    await a.put(theirs, 5)
    expect(await a.execute('beside.see', { args: [theirs], key: theirs })).to.equal(5)
    expect(await a.execute('beside.see', { args: [theirs], node: 'b' })).to.equal(5)
    expect(await a.execute('beside.see', { args: [theirs] })).to.equal('ERR_REMOTE_KEY')
    // The handle that a function gets finds the way too.
    expect(await a.execute('beside.read', { args: [theirs] })).to.equal(5)
    expectTypeError(await rejected(a.execute('beside.see', { args: [theirs], node: 'z' })))
  })

  it('merges what is asked of the whole cache', async () => {
    await Promise.all(Array.from({ length: 50 }, (_, number) => a.put(number, number)))
    expect(await b.size()).to.equal(50)
    expect((await b.keys()).sort()).to.deep.equal(Array.from({ length: 50 }, (_, number) => number).sort())
    expect((await a.export()).length).to.equal(50)
    expect(await a.isEmpty()).to.equal(false)
    expect(await a.purge()).to.equal(0)
    const stats: CacheStats = await a.stats()
    expect(stats.writes).to.equal((await a.stats({ local: true })).writes + (await b.stats({ local: true })).writes)
    expect(stats.hitRate).to.equal(stats.hits / (stats.hits + stats.misses))
    await b.reset()
    expect(await a.size()).to.equal(0)
    await Promise.all(Array.from({ length: 50 }, (_, number) => a.put(number, number)))
    expect(await a.clear()).to.equal(50)
  })

  it('shows its hooks each action once, on the node that called it', async () => {
    const [onA, onB] = [a.events({ actions: ['put'] }), b.events({ actions: ['put'] })]
    await a.put(theirs, 'by a')
    await b.put(theirs, 'by b')
    expect((await onA.next()).value).to.deep.include({ message: ['put', theirs, 'by a'], result: true })
    expect((await onB.next()).value).to.deep.include({ message: ['put', theirs, 'by b'], result: true })
    await Promise.all([onA.return(), onB.return()])
  })

  it('gives up waiting at the timeout and when it is aborted', async () => {
    await rejected(a.get(theirs, { timeout: 0 }), 'ERR_TIMEOUT')
    const abort = new AbortController()
    const aborted = rejected(a.get(theirs, { signal: abort.signal }))
    abort.abort(new Error('enough'))
    expect((await aborted).message).to.equal('enough')
  })

  it('tells who is there', async () => {
    const [node] = together.nodes
    expect(await node!.peers()).to.have.lengthOf(1)
    expect((await node!.peers())[0]).to.include({ node: 'b', state: 'up', sessions: 1 })
  })

  it('comes back when the thread of a bridge has died', async () => {
    await a.put(theirs, 1)
    await together.nodes[0]!.kill('bridge')
    await until(async () => await a.get(theirs).catch(() => undefined) === 1, 'the other node')
    expect(await b.get(mine)).to.equal(undefined)
  })
})
