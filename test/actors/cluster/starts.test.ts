import { expect } from 'chai'
import { cacheSupervisor, startNode, type Cache, type CacheNode, type CacheOptions } from 'scatterhoard'
import { memory } from 'scatterhoard/bridge'
import { rejected, until } from '../expectations.js'
import { beside, forbidden } from './cluster-functions.js'
import { keysOf, startTogether, type Together } from './nodes.js'

const SMALL: CacheOptions = { shards: 1, memory: '1mb' }

describe('the start of a cache on several nodes', () => {
  let together: Together
  let a: CacheNode
  let b: CacheNode
  let count = 0
  let name: string

  before(async () => {
    together = await startTogether(['a', 'b'], { connectTimeout: 400 })
    ;[a, b] = together.nodes as [CacheNode, CacheNode]
  })
  after(() => together.stop())
  beforeEach(() => (name = `started-${++count}`))

  it('succeeds when all start it, in any order, the later ones within the time', async () => {
    const first = a.startCache(name, { ...SMALL, nodes: ['b', 'a'] })
    const second = await b.startCache(name, { ...SMALL, nodes: ['a', 'b'], shards: 2, memory: '2mb' })
    await (await first).put('k', 1)
    expect(await second.get('k')).to.equal(1)
  })

  it('fails and leaves nothing behind if a node cannot be reached, or does not run it', async () => {
    expect(await rejected(a.startCache(name, { ...SMALL, nodes: ['a', 'z'] }), 'ERR_NODE_UNREACHABLE')).to.include({ node: 'z' })
    expect(await rejected(a.startCache(name, { ...SMALL, nodes: ['a', 'b'] }), 'ERR_NO_CACHE')).to.include({ node: 'b', cache: name })
    await rejected(Promise.resolve().then(() => a.getCache(name)), 'ERR_NO_CACHE')
    expect((await a.tree()).children.map(({ id }) => id)).to.not.include(`cache:${name}`)
    await (await a.startCache(name, SMALL)).stop()
  })

  const differences: [option: string, here: CacheOptions, there: CacheOptions][] = [
    ['router', { router: 'mod' }, { router: 'rendezvous' }],
    ['expiration.default', { expiration: { default: '1m' } }, {}],
    ['compressed', { compressed: true }, {}],
    ['commands', { commands: { load: { type: 'read', execute: forbidden.load } } }, {}],
  ]
  for (const [option, here, there] of differences) {
    it(`fails on both if they differ in ${option}`, async () => {
      const starts = await Promise.allSettled([a.startCache(name, { ...SMALL, nodes: ['a', 'b'], ...here }), b.startCache(name, { ...SMALL, nodes: ['a', 'b'], ...there })])
      for (const [index, start] of starts.entries()) {
        expect(await rejected(start.status === 'rejected' ? Promise.reject(start.reason as Error) : start, 'ERR_OPTIONS_DIFFER')).to.include({ option, node: index === 0 ? 'b' : 'a' })
      }
    })
  }

  it('fails if they differ in nodes', async () => {
    const running = await Promise.all([a, b].map((node) => node.startCache(name, { ...SMALL, nodes: ['a', 'b'] })))
    await running[0]!.stop()
    expect(await rejected(a.startCache(name, { ...SMALL, nodes: ['a', 'b', 'c'] }), 'ERR_OPTIONS_DIFFER')).to.include({ option: 'nodes', node: 'b' })
    await running[1]!.stop()
  })

  it('waits for fewer with startWith', async () => {
    const alone = await a.startCache(name, { ...SMALL, nodes: ['a', 'b'], startWith: 'any' })
    const [mine, theirs] = [keysOf(alone, 'a')[0]!, keysOf(alone, 'b')[0]!]
    await alone.put(mine, 1)
    expect(await rejected(alone.put(theirs, 1), 'ERR_NO_CACHE')).to.include({ node: 'b', outcome: 'none' })
    expect((await rejected(alone.size(), 'ERR_PARTIAL'))['result']).to.equal(1)
    await b.startCache(name, { ...SMALL, nodes: ['a', 'b'] })
    expect(await alone.put(theirs, 1)).to.equal(true)
    await rejected(a.startCache(`${name}-too`, { ...SMALL, nodes: ['a', 'b', 'z'], startWith: 'majority' }), 'ERR_NO_CACHE')
    const most = await Promise.all([a, b].map((node) => node.startCache(`${name}-most`, { ...SMALL, nodes: ['a', 'b', 'z'], startWith: 'majority' })))
    expect((await rejected(most[0]!.size(), 'ERR_PARTIAL'))['errors']).to.have.nested.property('z.code', 'ERR_NODE_DOWN')
  })

  it('refuses options that cannot be, before anything starts', async () => {
    const refuse = async (node: CacheNode, options: CacheOptions, option: string): Promise<void> => {
      expect(await rejected(Promise.resolve().then(() => node.startCache(name, { ...SMALL, ...options })), 'ERR_INVALID_OPTION')).to.include({ option })
    }
    await refuse(a, { nodes: [] }, 'nodes')
    await refuse(a, { nodes: 'a' as never }, 'nodes')
    await refuse(a, { nodes: ['a', 3 as never] }, 'nodes.1')
    await refuse(a, { nodes: ['b', 'c'] }, 'nodes')
    await refuse(a, { nodes: ['a', 'b'], router: 'unknown' as never }, 'router')
    await refuse(a, { nodes: ['a', 'b'], startWith: 'most' as never }, 'startWith')
    expect(await rejected(a.spawn(cacheSupervisor(name, { ...SMALL, nodes: ['b', 'c'] })), 'ERR_INVALID_OPTION')).to.include({ option: 'nodes' })
    for (const bridge of [{}, 'tcp', { listen: 1, secret: 'not to be shown' }]) {
      const error = await rejected(Promise.resolve().then(() => startNode({ bridge: bridge as never })), 'ERR_INVALID_OPTION')
      expect(error).to.include({ option: 'bridge' })
      expect(JSON.stringify(error) + error.message).to.not.include('not to be shown')
    }
    const lonely = await startNode({ name: 'lonely', shardThreads: 1 })
    await refuse(lonely, { nodes: ['lonely', 'b'] }, 'nodes')
    expect((await lonely.startCache(name, { ...SMALL, nodes: ['lonely'] })).nodeOf(1)).to.equal('lonely')
    expect(await lonely.peers()).to.deep.equal([])
    await lonely.stop()
  })

  it('takes routers of the application\'s own, which may follow nodes, and fails if one cannot be loaded', async () => {
    const module = new URL('./first-node-router.js', import.meta.url)
    const fixed = await Promise.all([a, b].map((node) => node.startCache(name, { ...SMALL, nodes: ['a', 'b'], router: { module } })))
    await fixed[1]!.put('k', 1)
    expect([fixed[1]!.nodeOf('k'), fixed[0]!.getSync('k')]).to.deep.equal(['a', 1])
    const following = await Promise.all([a, b].map((node) => node.startCache(`${name}-following`, { ...SMALL, nodes: ['a', 'b'], router: { module, options: { last: true } } })))
    await until(() => Promise.resolve(following.every((cache) => cache.nodeOf('k') === 'b')), 'the last node to own the key')
    await following[1]!.stop()
    await until(() => Promise.resolve(following[0]!.nodeOf('k') === 'a'), 'the one that is left to own it')
    await following[0]!.put('k', 2)
    expect(following[0]!.getSync('k')).to.equal(2)
    const missing = { module: new URL('./no-router.js', import.meta.url) }
    await rejected(a.startCache(`${name}-missing`, { ...SMALL, nodes: ['a', 'b'], router: missing }), 'ERR_MODULE_LOAD')
    await (await a.startCache(`${name}-missing`, SMALL)).stop()
  })

  it('waits for required warmers, which wait for the nodes that own their pairs', async () => {
    const warmers = [{ name: 'pairs', execute: beside.pairs, state: 'warm', required: true }]
    const [first, second] = await Promise.all([a, b].map((node) => node.startCache(name, { ...SMALL, nodes: ['a', 'b'], functions: [beside], warmers })))
    expect(await first!.size()).to.equal(21)
    expect(await first!.size({ local: true })).to.be.within(1, 20)
    expect(await second!.get('warm 7')).to.equal(7)
    await rejected(a.startCache(`${name}-alone`, { ...SMALL, nodes: ['a', 'b'], functions: [beside], warmers }), 'ERR_NO_CACHE')
  })

  it('lets warmers with an interval run on one node', async () => {
    const warmers = [{ name: 'rounds', execute: beside.pairs, state: 'rounds', interval: '1h' }]
    const [first, second] = await Promise.all([a, b].map((node) => node.startCache(name, { ...SMALL, nodes: ['a', 'b'], functions: [beside], warmers, stats: true })))
    await until(async () => await first!.size() === 21, 'the pairs')
    await second!.warm({ wait: true })
    const { writes } = await first!.stats()
    expect(writes).to.equal(42)
  })

  it('again by a supervisor does not ask the others', async () => {
    const cache = (await Promise.all([a, b].map((node) => node.startCache(name, { ...SMALL, nodes: ['a', 'b'] }))))[0]!
    const mine = keysOf(cache, 'a')[0]!
    await cache.put(mine, 1)
    together.network.partition(['a'], ['b'])
    await a.kill(`cache:${name}/shards/shard-0`)
    expect(await cache.put(mine, 2, { timeout: 5000 })).to.equal(true)
    together.network.heal()
  })
})

describe('what peers may have done', () => {
  let together: Together
  let a: Cache<unknown>

  before(async () => {
    together = await startTogether(['a', 'b'], {}, { allow: ['beside.*'] })
    ;[a] = await together.start('guarded', { functions: [beside, forbidden] }) as [Cache<unknown>, Cache<unknown>]
  })
  after(() => together.stop())

  it('are functions that the bridge allows, and no others', async () => {
    const theirs = keysOf(a, 'b')[0]!
    expect(await a.fetch(theirs, 'beside.load')).to.be.a('string')
    for (const act of [a.fetch(keysOf(a, 'b', 2)[1]!, 'forbidden.load'), a.getAndUpdate(theirs, 'forbidden.load'), a.execute('forbidden.load', { node: 'b' }), a.transaction([theirs], 'forbidden.load')]) {
      expect(await rejected(act, 'ERR_UNKNOWN_FUNCTION')).to.include({ function: 'forbidden.load', node: 'b' })
    }
    expect(await a.execute('forbidden.load')).to.equal('forbidden')
  })
})

describe('nodes that come and go', () => {
  it('are seen by others, and what they had answers again when they are back', async () => {
    const together = await startTogether(['a', 'b'])
    const [a] = await together.start('coming') as [Cache<unknown>]
    const [node] = together.nodes as [CacheNode]
    const theirs = keysOf(a, 'b')[0]!
    const events = node.events()
    await a.put(theirs, 1)
    await together.nodes[1]!.stop()
    expect((await events.next()).value).to.include({ type: 'down', node: 'b', reason: 'stopped' })
    expect(await rejected(a.get(theirs), 'ERR_NODE_DOWN')).to.include({ outcome: 'none', node: 'b' })
    const again = await startNode({ name: 'b', shardThreads: 1, bridge: memory({ network: together.network }) })
    await again.startCache('coming', { ...SMALL, nodes: ['a', 'b'] })
    expect((await events.next()).value).to.include({ type: 'up', node: 'b' })
    expect(await a.get(theirs)).to.equal(undefined)
    await a.put(theirs, 2)
    expect(again.getCache('coming').getSync(theirs)).to.equal(2)
    await Promise.all([together.stop(), again.stop()])
    // Whichever of them stops first, there is an end.
    for await (const event of events) expect(event).to.include({ type: 'down', node: 'b' })
  })

  it('that fall silent are down after the failure timeout, and what was under way is unknown', async () => {
    const together = await startTogether(['a', 'b'], { failureTimeout: 300 })
    const [a] = await together.start('silent') as [Cache<unknown>]
    const theirs = keysOf(a, 'b')[0]!
    await a.put(theirs, 1)
    together.network.partition(['a'], ['b'])
    expect(await rejected(a.put(theirs, 2), 'ERR_NODE_DOWN')).to.include({ outcome: 'unknown' })
    expect(await rejected(a.put(theirs, 2), 'ERR_NODE_DOWN')).to.include({ outcome: 'none' })
    together.network.heal()
    await together.stop()
  })
})
