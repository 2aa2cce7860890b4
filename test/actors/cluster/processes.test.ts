import { expect } from 'chai'
import { startNode, type Cache, type CacheNode, type CacheOptions } from 'scatterhoard'
import { tcp } from 'scatterhoard/bridge'
import { freePort } from '../../bridge/free-port.js'
import { rejected, until } from '../expectations.js'
import { beside } from './cluster-functions.js'
import { keysOf } from './nodes.js'
import { NodeProcess } from './processes.js'

const SECRET = 'a secret of these tests'
const NAMES = ['a', 'b', 'c']
const OPTIONS: CacheOptions = { nodes: NAMES, shards: 1, memory: '4mb' }

describe('a cache on three processes', function () {
  this.timeout(60_000)
  const peers: Record<string, string> = {}
  let node: CacheNode
  let cache: Cache<unknown>
  let b: NodeProcess
  let c: NodeProcess
  const own: Record<string, string> = {}

  const start = async (name: string): Promise<NodeProcess> => {
    const process = new NodeProcess(name, SECRET, peers[name]!, peers)
    await process.signal()
    return process
  }

  before(async () => {
    for (const name of NAMES) peers[name] = `127.0.0.1:${await freePort()}`
    ;[node, b, c] = await Promise.all([
      startNode({ name: 'a', shardThreads: 1, pool: { threads: 1 }, functions: [beside], failureTimeout: 1000, connectTimeout: 15_000, bridge: tcp({ listen: peers['a']!, secret: SECRET, peers }) }),
      start('b'), start('c'),
    ])
    ;[cache] = await Promise.all([node.startCache('spread', OPTIONS), b.do({ do: 'start', cache: 'spread', options: OPTIONS }), c.do({ do: 'start', cache: 'spread', options: OPTIONS })])
    for (const name of NAMES) own[name] = keysOf(cache, name)[0]!
  })
  after(async () => {
    await node.stop()
    await Promise.all([b.kill(), c.kill()])
  })

  it('has what one of them put, on all', async () => {
    for (const key of Object.values(own)) {
      await cache.put(key, { key })
      for (const process of [b, c]) expect(await process.call('get', key)).to.deep.equal({ key })
    }
    await c.call('put', own['b'], 'by c')
    expect(await b.call('getSync', own['b'])).to.equal('by c')
    expect(await b.call('size')).to.equal(3)
    expect(await cache.fetch(keysOf(cache, 'c', 2)[1]!, 'beside.load')).to.equal(await b.call('fetch', keysOf(cache, 'c', 2)[1]!, 'beside.load'))
  })

  it('answers while the main thread of a node is blocked', async () => {
    const blocked = b.signal()
    const released = b.do({ do: 'block', ms: 3000 })
    await blocked
    const begun = performance.now()
    expect(await cache.put(own['b']!, 'while blocked')).to.equal(true)
    expect(await c.call('get', own['b'])).to.equal('while blocked')
    expect(await cache.execute('beside.see', { args: [own['b']], node: 'b', timeout: 2500 })).to.equal('while blocked')
    expect(performance.now() - begun).to.be.below(2900)
    await released
  })

  it('loses with a killed process what only that one had, says so at once, and has it back when it is', async () => {
    const events = node.events()
    await cache.put(own['b']!, 'lost soon')
    await cache.put(own['c']!, 'kept')
    const under = Array.from({ length: 200 }, () => cache.incr(`{${own['b']}}:count`).then(() => 'done', (error: unknown) => error))
    b.child.kill('SIGKILL')
    for (const end of await Promise.all(under)) if (end !== 'done') expect(end).to.include({ code: 'ERR_NODE_DOWN' })
    await b.ended
    expect((await events.next()).value).to.include({ type: 'down', node: 'b' })
    const begun = performance.now()
    expect(await rejected(cache.get(own['b']!), 'ERR_NODE_DOWN')).to.include({ node: 'b', outcome: 'none' })
    expect(performance.now() - begun).to.be.below(500)
    expect(await c.call('get', own['c'])).to.equal('kept')
    const partial = await rejected(cache.clear(), 'ERR_PARTIAL')
    expect(partial['errors']).to.have.nested.property('b.code', 'ERR_NODE_DOWN')
    expect(partial['outcome']).to.equal('unknown')

    b = await start('b')
    await b.do({ do: 'start', cache: 'spread', options: OPTIONS })
    await until(async () => await cache.get(own['b']!).catch(() => 'down') === undefined, 'the node to be back')
    await cache.put(own['b']!, 'new')
    expect(await c.call('get', own['b'])).to.equal('new')
    await events.return()
  })
})

describe('a process with a node that listens', () => {
  it('stays alive until the node has stopped, or is unreferenced', async () => {
    for (const end of ['stop', 'unref'] as const) {
      const process = new NodeProcess('alone', SECRET, `127.0.0.1:${await freePort()}`, {})
      await process.signal()
      await process.do({ do: 'start', cache: 'own', options: { shards: 1, memory: '1mb' } })
      expect(process.child.exitCode).to.equal(null)
      await process.do({ do: end })
      expect((await process.ended)[0]).to.equal(0)
    }
  })
})
