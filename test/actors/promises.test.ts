import { expect } from 'chai'
import { cacheSupervisor, getCache, startCache, startNode, type CacheNode } from 'scatterhoard'
import { supervisor } from 'scatterhoard/runtime'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { AttachedThread } from './attached-thread.js'
import { rejected, shardPaths, thrown, until } from './expectations.js'

const FUNCTIONS = new URL('./functions.js', import.meta.url)

/** Runs a module's text in a process of its own, which has to end by itself. */
async function run(text: string): Promise<string> {
  const source = `import { startCache, startNode } from ${JSON.stringify(import.meta.resolve('scatterhoard'))}\n${text}`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', source], { timeout: 15_000 })
  return stdout.trim()
}

describe('what a cache promises', () => {
  let node: CacheNode

  before(async () => (node = await startNode({ shardThreads: 2, functions: [FUNCTIONS] })))
  after(() => node.stop())

  it('messages of one sender arrive in the order sent, thousands in flight', async () => {
    const cache = await node.startCache<number[]>('order', { shards: 1, memory: '8mb', mailbox: { messages: 500 } })
    const calls: Promise<unknown>[] = []
    for (let index = 0; index < 3000; index++) {
      if (index % 3 === 0 && index < 400) cache.tell(['put', `t${index}`, [index]])
      calls.push(index % 500 === 499 ? cache.getAndUpdate('list', 'sums.push', { args: [index] }) : cache.put('last', [index]))
    }
    await Promise.all(calls)
    expect(await cache.get('list')).to.deep.equal([499, 999, 1499, 1999, 2499, 2999])
    expect(await cache.get('last')).to.deep.equal([2998])
    await cache.stop()
  })

  it('asynchronous reads see the caller\'s own writes, answered or not, told or asked, of the key or of all', async () => {
    const cache = await node.startCache<number>('own', { shards: 3, memory: '8mb', mailbox: { messages: 100 } })
    for (let round = 1; round <= 300; round++) {
      const key = round % 7
      const writes: Promise<unknown>[] = []
      if (round % 3 === 0) expect(cache.tell(['put', key, round])).to.equal(true)
      else writes.push(cache.put(key, round))
      expect(await cache.get(key)).to.equal(round)
      await Promise.all(writes)
    }
    const flood = Array.from({ length: 2000 }, (_, index) => cache.put('flood', index))
    expect(await cache.get('flood')).to.equal(1999)
    await Promise.all(flood)
    const clearing = cache.clear()
    expect(await Promise.all([cache.get('flood'), cache.size(), cache.keys(), cache.isEmpty(), cache.exists(3)])).to.deep.equal([undefined, 0, [], true, false])
    await clearing
    cache.tell(['put', 'told', 5])
    expect(await Promise.all([cache.size(), cache.keys(), cache.ttl('told'), cache.getMany(['told'])])).to.deep.equal([1, ['told'], null, [5]])
    cache.tell(['touch', 'told'])
    cache.tell(['update', 'told', 6])
    expect(await cache.inspect(['entry', 'told'])).to.include({ value: 6 })
    await cache.stop()
  })

  it('a read after an acknowledgement sees it, on every thread', async () => {
    const cache = await node.startCache<number>('threads', { shards: 2, memory: '8mb' })
    const thread = new AttachedThread()
    await thread.attach(cache)
    for (let round = 0; round < 100; round++) {
      await cache.put('a', round)
      expect(await thread.do({ do: 'sync', cache: 'threads', name: 'getSync', key: 'a' })).to.equal(round)
      await thread.call('threads', 'put', 'b', round)
      expect(cache.getSync('b')).to.equal(round)
      expect(cache.existsSync('b')).to.equal(true)
    }
    const increments = [...Array.from({ length: 200 }, () => cache.incr('n')), ...Array.from({ length: 200 }, () => thread.call('threads', 'incr', 'n'))]
    expect(new Set(await Promise.all(increments)).size).to.equal(400)
    await thread.end()
    expect(await cache.get('n')).to.equal(400)
    await cache.stop()
  })

  it('a thread that ends, however it ends, gives back what it held', async () => {
    const cache = await node.startCache<number>('ends', { shards: 1, memory: '8mb' })
    const before = (await node.counters()).clients
    for (let round = 0; round < 3; round++) {
      const thread = new AttachedThread()
      await thread.attach(cache)
      for (let index = 0; index < 50; index++) void thread.call('ends', 'put', index, index).catch(() => undefined)
      await thread.end()
    }
    await until(async () => (await node.counters()).clients === before, 'the clients\' end')
    expect(await cache.put('k', 1)).to.equal(true)
    await cache.stop()
  })

  it('the janitor removes what has expired while nobody reads', async () => {
    node.clock.hold()
    const cache = await node.startCache<number>('janitor', { shards: 2, memory: '8mb', expiration: { interval: 1000, lazy: false } })
    await Promise.all(Array.from({ length: 1000 }, (_, index) => cache.put(index, index, { expire: index < 900 ? 500 : 60_000 })))
    node.clock.advance(999)
    await node.clockMoved()
    expect(await cache.size()).to.equal(1000)
    node.clock.advance(2)
    await node.clockMoved()
    await until(async () => await cache.size() === 100, 'the sweep')
    node.clock.release()
    await cache.stop()
  })

  it('memory is never exceeded', async () => {
    const cache = await node.startCache<string>('memory', { shards: 3, memory: '16mb' })
    let most = 0
    for (let round = 0; round < 40; round++) {
      await Promise.all(Array.from({ length: 250 }, (_, index) => cache.put(round * 1000 + index, 'x'.repeat((index * 97) % 9000))))
      most = Math.max(most, await cache.inspect(['memory', 'bytes']))
    }
    expect(most).to.be.within(8 * 2 ** 20, 16 * 2 ** 20)
    expect((await cache.inspect('shards')).reduce((sum, { capacityBytes }) => sum + capacityBytes, 0)).to.be.at.most(16 * 2 ** 20)
    await cache.stop()
  })

  it('a cache of a supervisor of the application restarts with it, and its handle goes on', async () => {
    const app = await node.spawn(supervisor({ id: 'app', strategy: 'one_for_all', children: [cacheSupervisor('first', { shards: 1, memory: '1mb' }), cacheSupervisor('second', { shards: 1, memory: '1mb', supervision: { maxRestarts: 0 } })] }))
    const [first, second] = [node.getCache<number>('first'), getCache<number>('second')]
    await first.put('k', 1)
    await second.put('k', 2)
    const before = await first.inspect('tree')
    // Over its limit at once: the supervisor restarts both.
    await node.kill(`app/${(await shardPaths(second))[0]!}`)
    await until(async () => (await first.inspect('tree').catch(() => before)).incarnation > before.incarnation, 'the restart of both')
    await until(() => first.put('k', 3).catch(() => false), 'a write')
    expect(await first.get('k')).to.equal(3)
    await until(() => second.put('k', 4).catch(() => false), 'a write')
    expect(await second.get('k')).to.equal(4)
    await app.stop()
    await rejected(first.get('k'), 'ERR_STOPPED')
  })

  it('stop drains what is queued', async () => {
    const cache = await node.startCache<number>('drained', { shards: 1, memory: '1mb' })
    await cache.put('k', 0)
    const calls = Array.from({ length: 2000 }, () => cache.incr('k'))
    const [results] = await Promise.all([Promise.all(calls), cache.stop()])
    expect(results.at(-1)).to.equal(2000)
  })

  it('the default node starts with its first cache and stops with its last; await using works', async () => {
    let used
    {
      await using cache = await startCache<number>('used', { shards: 1, memory: '1mb' })
      used = cache
      expect(getCache('used')).to.equal(cache)
      await cache.put('k', 1)
    }
    await rejected(used.get('k'), 'ERR_STOPPED')
    thrown(() => getCache('used'), 'ERR_NO_CACHE')
    const again = await startCache<number>('used', { shards: 1, memory: '1mb' })
    expect(await again.get('k')).to.equal(undefined)
    await again.stop()
  })

  it('a node that stops stops its caches; twice is once', async () => {
    const other = await startNode({ name: 'other', shardThreads: 1 })
    const cache = await other.startCache<number>('there', { shards: 1, memory: '1mb' })
    const queued = cache.put('k', 1)
    await Promise.all([other.stop(), other.stop()])
    await queued.catch((error: unknown) => expect((error as { code: string }).code).to.equal('ERR_STOPPED'))
    await rejected(cache.get('k'), 'ERR_STOPPED')
    thrown(() => cache.getSync('k'), 'ERR_STOPPED')
    await cache.stop()
    await rejected(other.startCache('more'), 'ERR_STOPPED')
  })

  it('a process exits by itself: after stop, after a start that failed, and without stop once its calls are answered', async () => {
    const options = '{ shards: 1, memory: \'1mb\' }'
    const [stopped, failed, left, pending] = await Promise.all([
      run(`const c = await startCache('a', ${options}); await c.put('k', 1); console.log(await c.get('k')); await c.stop()`),
      run(`await startCache('a', { functions: ['file:///nowhere.js'], shards: 1, memory: '1mb' }).catch((e) => console.log(e.code)); await startCache('a', { shards: -1 }).catch((e) => console.log(e.code))`),
      run(`const c = await startCache('a', ${options}); await c.put('k', 2); console.log(await c.get('k'))`),
      run(`const c = await startCache('a', ${options}); c.put('k', 3).then((v) => console.log(v)); c.incr('n').then((v) => console.log(v))`),
    ])
    expect([stopped, failed, left, pending]).to.deep.equal(['1', 'ERR_MODULE_LOAD\nERR_INVALID_OPTION', '2', 'true\n1'])
  })
})
