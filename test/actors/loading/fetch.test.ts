import { expect } from 'chai'
import { startNode, type Cache, type CacheNode } from 'scatterhoard'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { rejected, until } from '../expectations.js'
import { loaders } from './loaders.js'

describe('fetch', () => {
  let node: CacheNode
  let cache: Cache<string>
  let counts: Cache<number>

  before(async () => {
    node = await startNode({ name: 'fetching', shardThreads: 2, functions: [loaders] })
    cache = await node.startCache<string>('loads', { shards: 2, memory: '8mb', supervision: { maxRestarts: 1000, backoff: { then: 1 } } })
    counts = await node.startCache<number>('counts', { memory: '4mb' })
  })
  after(() => node.stop())
  beforeEach(() => Promise.all([cache.clear(), counts.clear()]))

  const loadsOf = async (key: string): Promise<number> => await counts.get(key, { default: 0 })
  const open = (gate: string): Promise<unknown> => counts.put(`gate:${gate}`, 1)
  const begun = (key: string): Promise<void> => until(async () => await loadsOf(key) > 0, `the load of ${key}`)

  it('calls the function on a miss, stores what it returns, and does not call it on a hit', async () => {
    expect(await cache.fetch('a', loaders.load)).to.equal('loaded a')
    expect(cache.getSync('a')).to.equal('loaded a')
    expect(await cache.fetch('a', loaders.load)).to.equal('loaded a')
    expect(await cache.ask(['fetch', 'a', 'loaders.load'])).to.equal('loaded a')
    expect(await loadsOf('a')).to.equal(1)
  })

  it('loads as a message that is told, too', async () => {
    expect(cache.tell(['fetch', 'told', loaders.load])).to.equal(true)
    await until(() => cache.existsSync('told'), 'the load')
    expect(await cache.get('told')).to.equal('loaded told')
  })

  it('commit gives an expiry before the option, ignore and undefined store nothing', async () => {
    expect(await cache.fetch('c', loaders.committed, { args: [50_000], expire: 10 })).to.equal('committed c')
    expect(await cache.ttl('c')).to.be.within(49_000, 50_000)
    await cache.fetch('e', loaders.load, { expire: 40_000 })
    expect(await cache.ttl('e')).to.be.within(39_000, 40_000)
    expect(await cache.fetch('i', loaders.ignored)).to.equal('ignored i')
    expect(await cache.fetch('n', loaders.nothing)).to.equal(undefined)
    expect(await cache.getMany(['i', 'n'])).to.deep.equal([undefined, undefined])
  })

  it('loads once, however many callers on however many threads wait', async () => {
    const { descriptor, transfer } = cache.attachment()
    const worker = new Worker(new URL('./fetch-thread.js', import.meta.url), { workerData: { descriptor, key: 'one', calls: 250 }, transferList: transfer })
    await once(worker, 'message')
    const values = once(worker, 'message')
    const own = Array.from({ length: 250 }, () => cache.fetch('one', loaders.behind, { args: ['one'], timeout: 20_000 }))
    await begun('one')
    await open('one')
    expect(new Set([...await Promise.all(own), ...(await values)[0] as string[]])).to.deep.equal(new Set(['loaded one']))
    expect(await loadsOf('one')).to.equal(1)
  })

  it('loads each of many keys once for many callers, and gives each caller a copy of its own', async () => {
    const keys = Array.from({ length: 500 }, (_, index) => `k${index}`)
    const values = await Promise.all(keys.flatMap((key) => Array.from({ length: 20 }, () => cache.fetch(key, loaders.load, { timeout: 30_000 }))))
    expect(values).to.have.length(10_000)
    expect(await counts.getMany(keys)).to.deep.equal(keys.map(() => 1))
  })

  it('its error reaches every caller as the cause, and nothing is stored', async () => {
    const errors = await Promise.all([1, 2, 3].map(() => rejected(cache.fetch('f', loaders.fails), 'ERR_FUNCTION_FAILED')))
    for (const { cause } of errors) expect(cause).to.be.instanceOf(RangeError).with.property('message', 'no f')
    expect(await cache.exists('f')).to.equal(false)
    expect(await cache.fetch('f', loaders.load)).to.equal('loaded f')
  })

  for (const [what, act] of [['a write', 'put'], ['a removal', 'del'], ['a clear', 'clear'], ['a putMany', 'putMany'], ['an update in a transaction', 'transaction']] as const) {
    it(`does not store over ${what} that came after the load began, and gives the callers the value`, async () => {
      if (act === 'del' || act === 'transaction') await cache.put('w', 'first', { expire: 1 })
      await until(async () => !await cache.exists('w'), 'the expiry')
      const loading = cache.fetch('w', loaders.behind, { args: ['w'] })
      await begun('w')
      if (act === 'put') await cache.put('w', 'written')
      else if (act === 'putMany') await cache.putMany([['w', 'written'], ['v', 'too']])
      else if (act === 'del') await cache.del('w')
      else if (act === 'clear') await cache.clear()
      else await cache.transaction(['w'], 'loaders.nothing').then(() => cache.put('w', 'written'))
      await open('w')
      expect(await loading).to.equal('loaded w')
      expect(await cache.get('w')).to.equal(act === 'del' || act === 'clear' ? undefined : 'written')
    })
  }

  it('gives the value also if storing it is refused', async () => {
    expect(await cache.fetch('huge', loaders.huge)).to.have.length(8 << 20)
    expect(await cache.exists('huge')).to.equal(false)
  })

  it('a caller that gives up does not cancel the load for the others', async () => {
    const controller = new AbortController()
    const impatient = rejected(cache.fetch('g', loaders.behind, { args: ['g'], timeout: 30 }), 'ERR_TIMEOUT')
    const aborted = cache.fetch('g', loaders.behind, { args: ['g'], signal: controller.signal })
    const patient = cache.fetch('g', loaders.behind, { args: ['g'] })
    controller.abort(new Error('enough'))
    expect(await aborted.catch((error: Error) => error.message)).to.equal('enough')
    await impatient
    await open('g')
    expect(await patient).to.equal('loaded g')
    expect(await loadsOf('g')).to.equal(1)
  })

  it('a loader that hangs, never settles or exits fails its callers and nothing else', async () => {
    const innocent = cache.fetch('innocent', loaders.behind, { args: ['innocent'], timeout: 20_000 })
    await begun('innocent')
    await rejected(cache.fetch('h', loaders.hang, { functionTimeout: 100, timeout: 20_000 }), 'ERR_FUNCTION_TIMEOUT')
    await rejected(cache.fetch('s', loaders.never, { functionTimeout: 50, timeout: 20_000 }), 'ERR_FUNCTION_TIMEOUT')
    await rejected(cache.fetch('x', loaders.exit, { timeout: 20_000 }), 'ERR_FUNCTION_FAILED')
    await open('innocent')
    expect(await innocent).to.equal('loaded innocent')
  })

  it('finds loads that wait for each other in a circle', async () => {
    const both = [cache.fetch('p', loaders.through, { args: ['q', 'pq'] }), cache.fetch('q', loaders.through, { args: ['p', 'pq'] })].map((call) => rejected(call, 'ERR_DEADLOCK'))
    const own = rejected(cache.fetch('self', loaders.through, { args: ['self', 'pq'] }), 'ERR_DEADLOCK')
    await open('pq')
    await Promise.all([...both, own])
  })

  it('goes on with its load when shards die meanwhile', async () => {
    const loading = ['k1', 'k2', 'k3', 'k4'].map((key) => cache.fetch(key, loaders.behind, { args: ['dying'], timeout: 20_000 }))
    for (const key of ['k1', 'k2', 'k3', 'k4']) await begun(key)
    await node.kill('cache:loads/shards/shard-0')
    await node.kill('cache:loads/shards/shard-1')
    await open('dying')
    expect(await Promise.all(loading)).to.deep.equal(['k1', 'k2', 'k3', 'k4'].map((key) => `loaded ${key}`))
    expect(await cache.getMany(['k1', 'k4'])).to.deep.equal(['loaded k1', 'loaded k4'])
    expect(await counts.getMany(['k1', 'k2', 'k3', 'k4'])).to.deep.equal([1, 1, 1, 1])
  })

  it('another caller loads when the thread ends that was to load', async () => {
    const { descriptor, transfer } = cache.attachment()
    const worker = new Worker(new URL('./fetch-thread.js', import.meta.url), { workerData: { descriptor, key: 'orphan', calls: 1 }, transferList: transfer })
    await begun('orphan')
    const waiting = cache.fetch('orphan', loaders.load, { timeout: 20_000 })
    await until(async () => (await cache.inspect('mailboxes')).every(({ outstanding }) => outstanding <= 1), 'the fetch on its way')
    await worker.terminate()
    expect(await waiting).to.equal('loaded orphan')
  })
})
