import { expect } from 'chai'
import { registerFunction, startNode, type Cache, type CacheNode } from 'scatterhoard'
import { AttachedThread } from '../attached-thread.js'
import { rejected, until, type Failure } from '../expectations.js'
import { loaders } from './loaders.js'

describe('fetch, whatever dies', () => {
  let node: CacheNode
  let cache: Cache<string>
  let counts: Cache<number>

  before(async () => {
    node = await startNode({ name: 'deaths', shardThreads: 1, functions: [loaders], pool: { threads: 2 } })
    cache = await node.startCache<string>('loads', { shards: 2, memory: '16mb', supervision: { maxRestarts: 1000, backoff: { then: 1 } } })
    counts = await node.startCache<number>('counts', { memory: '16mb' })
  })
  after(() => node.stop())
  beforeEach(() => Promise.all([cache.clear(), counts.clear()]))

  const open = (gate: string): Promise<unknown> => counts.put(`gate:${gate}`, 1)
  const begun = (key: string, times = 1): Promise<void> => until(async () => await counts.get(key, { default: 0 }) >= times, `the load of ${key}`)

  it('a load whose thread dies is made again, unless it was alone at work there: then it fails as what the thread died of', async () => {
    const keys = ['a', 'b', 'c', 'd', 'e', 'f']
    const ends = Promise.all(keys.map((key) => cache.fetch(key, loaders.behind, { args: ['gate'], timeout: 30_000, functionTimeout: '20s' }).catch((error: Failure) => error)))
    for (const key of keys) await begun(key)
    await node.kill('functions/function-thread-0')
    await open('gate')
    let failed = 0
    for (const [index, end] of (await ends).entries()) {
      if (!(end instanceof Error)) expect(end).to.equal(`loaded ${keys[index]}`)
      else {
        expect(end.code).to.equal('ERR_FUNCTION_FAILED')
        failed++
      }
      expect(await cache.get(keys[index]!)).to.equal(end instanceof Error ? undefined : end)
    }
    expect(failed).to.be.at.most(1)
  })

  it('a load goes on when the system thread dies', async () => {
    const keys = ['s', 't', 'u']
    const values = Promise.all(keys.map((key) => cache.fetch(key, loaders.behind, { args: ['gate'], timeout: 30_000, functionTimeout: '20s' })))
    for (const key of keys) await begun(key)
    await node.kill('system')
    await open('gate')
    expect(await values).to.deep.equal(keys.map((key) => `loaded ${key}`))
    expect(await cache.getMany(keys)).to.deep.equal(keys.map((key) => `loaded ${key}`))
  })

  it('a loader that fills its memory fails its callers with the death of its thread, and nothing else', async () => {
    const innocent = cache.fetch('innocent', loaders.behind, { args: ['innocent'], timeout: 110_000, functionTimeout: '100s' })
    await begun('innocent')
    const failures = await Promise.all([1, 2].map(() => rejected(cache.fetch('full', loaders.fill, { timeout: 110_000, functionTimeout: '100s' }), 'ERR_FUNCTION_FAILED')))
    for (const { cause } of failures) expect((cause as Failure).code).to.equal('ERR_WORKER_OUT_OF_MEMORY')
    await open('innocent')
    expect(await innocent).to.equal('loaded innocent')
    expect(await cache.exists('full')).to.equal(false)
  }).timeout(120_000)

  it('a registered loader runs on the thread that registered it: the caller\'s own, or another', async () => {
    const thread = new AttachedThread()
    await thread.attach(cache)
    await thread.do({ do: 'registerFunction', name: 'test.there', each: false, says: 'there' })
    expect(await cache.fetch('r', 'test.there')).to.deep.equal(['there', thread.worker.threadId, 'r'])
    const here = registerFunction('test.here', async (key: string, suffix: string) => `${key}${suffix}`)
    expect(await cache.fetch('h', here, { args: ['!'] })).to.equal('h!')
    expect(await thread.call('loads', 'fetch', 'i', 'test.here', { args: ['?'] })).to.equal('i?')
    expect(await cache.getMany(['h', 'i'])).to.deep.equal(['h!', 'i?'])
    here.unregister()
    const before = await thread.do({ do: 'count' }) as number
    const gone = rejected(cache.fetch('g', 'test.there', { args: ['never'], timeout: 20_000, functionTimeout: '15s' }), 'ERR_FUNCTION_FAILED')
    await until(async () => await thread.do({ do: 'count' }) as number > before, 'the load')
    await thread.end()
    expect((await gone).outcome).to.equal('unknown')
    expect(await cache.exists('g')).to.equal(false)
  })

  it('loads each of 10,000 keys once for 20 callers each', async () => {
    const keys = Array.from({ length: 10_000 }, (_, index) => `k${index}`)
    let callers = 0
    await Promise.all(keys.map(async (key) => {
      const values = await Promise.all(Array.from({ length: 20 }, () => cache.fetch(key, loaders.load, { timeout: 100_000 })))
      for (const value of values) if (value === `loaded ${key}`) callers++
    }))
    expect(callers).to.equal(200_000)
    expect((await counts.getMany(keys)).every((count) => count === 1)).to.equal(true)
  }).timeout(120_000)
})
