import { expect } from 'chai'
import { startNode, type Cache, type CacheNode, type CacheOptions } from 'scatterhoard'
import { memory } from 'scatterhoard/bridge'
import { rejected, until } from '../expectations.js'
import { inside } from '../transactions/transaction-functions.js'
import { startTogether, type Together } from './nodes.js'

const NAMES = ['a', 'b', 'c']
const RING: CacheOptions = { router: { name: 'ring', virtualNodes: 64 }, shards: 1, memory: '4mb' }
const KEYS = Array.from({ length: 300 }, (_, number) => `k${number}`)

/** As long as it may take where cores are few. */
const PATIENT = { timeout: 20_000 }

/** Waits until the nodes' handles agree that these nodes own the keys, and no others. */
async function agreed(caches: readonly Cache<unknown>[], nodes: readonly string[], meanwhile = async (): Promise<void> => undefined): Promise<void> {
  await until(async () => await meanwhile() === undefined && caches.every((cache) => {
    const owners = KEYS.map((key) => cache.nodeOf(key))
    return [...new Set(owners)].sort().join() === [...nodes].sort().join() && owners.join() === KEYS.map((key) => caches[0]!.nodeOf(key)).join()
  }), `owners ${nodes.join()}`, 20_000)
}

describe('a cache on a ring', function () {
  this.timeout(60_000)
  let together: Together
  let again: CacheNode | undefined
  let caches: Cache<unknown>[]

  before(async () => {
    together = await startTogether(NAMES, { functions: [inside] })
    caches = await together.start('ringed', RING)
    await agreed(caches, NAMES)
  })
  after(() => Promise.all([together.stop(), again?.stop()]))

  it('spreads keys over all nodes', async () => {
    await Promise.all(KEYS.map((key) => caches[0]!.put(key, key)))
    expect(await caches[1]!.size()).to.equal(KEYS.length)
    for (const key of KEYS) expect(caches[NAMES.indexOf(caches[2]!.nodeOf(key))]!.getSync(key)).to.equal(key)
  })

  it('moves the keys of a node that goes to the others, which have not got them, and leaves theirs', async () => {
    const before = KEYS.map((key) => caches[0]!.nodeOf(key))
    await together.nodes[2]!.stop()
    const left = caches.slice(0, 2)
    await agreed(left, ['a', 'b'])
    const values = await left[0]!.getMany(KEYS)
    for (const [index, value] of values.entries()) expect(value, before[index]).to.equal(before[index] === 'c' ? undefined : KEYS[index])
    // No node that is down is asked.
    expect(await left[0]!.size()).to.equal(values.filter((value) => value !== undefined).length)
    await Promise.all(KEYS.map((key) => left[1]!.put(key, `new ${key}`)))
    expect(await left[0]!.size()).to.equal(KEYS.length)
  })

  it('moves them back when it comes back, and what the others had of them is dropped', async () => {
    again = await startNode({ name: 'c', shardThreads: 1, functions: [inside], failureTimeout: 1000, bridge: memory({ network: together.network }) })
    const back = await again.startCache('ringed', { nodes: NAMES, ...RING })
    const all = [...caches.slice(0, 2), back]
    await agreed(all, NAMES)
    await until(async () => await back.size() <= KEYS.length - KEYS.filter((key) => back.nodeOf(key) === 'c').length, 'what moved to be dropped')
    const values = await back.getMany(KEYS)
    for (const [index, value] of values.entries()) expect(value).to.equal(back.nodeOf(KEYS[index]!) === 'c' ? undefined : `new ${KEYS[index]}`)
    for (const [index, cache] of all.entries()) for (const key of await cache.keys({ local: true })) expect(cache.nodeOf(key)).to.equal(NAMES[index])
    await Promise.all(KEYS.map((key) => caches[0]!.put(key, key)))
    expect(await back.getMany(KEYS)).to.deep.equal(KEYS)
    caches = all
  })

  it('takes in a node that the others did not list', async () => {
    const late = await startNode({ name: 'd', shardThreads: 1, bridge: memory({ network: together.network }) })
    const fourth = await late.startCache('ringed', { nodes: [...NAMES, 'd'], ...RING })
    await agreed([...caches, fourth], [...NAMES, 'd'])
    await Promise.all(KEYS.map((key) => caches[0]!.put(key, `later ${key}`)))
    expect(await fourth.getMany(KEYS)).to.deep.equal(KEYS.map((key) => `later ${key}`))
    await fourth.stop()
    await agreed(caches, NAMES)
    await late.stop()
  })

  it('carries calls out, one after the other, while a node comes, no longer runs the cache, and goes', async () => {
    let round = 0
    const work = async (): Promise<void> => {
      for (const [index, cache] of caches.slice(0, 2).entries()) {
        const key = `${NAMES[index]} ${++round}`
        expect(await cache.put(key, round, PATIENT)).to.equal(true)
        expect(await cache.getMany(['k1', 'k2', 'k3', key], PATIENT)).to.have.lengthOf(4)
        await cache.transaction([key], 'inside.nothing', PATIENT)
        expect(await cache.size(PATIENT)).to.be.above(0)
      }
    }
    const late = await startNode({ name: 'e', shardThreads: 1, functions: [inside], bridge: memory({ network: together.network }) })
    const more = await late.startCache('ringed', { nodes: [...NAMES, 'e'], ...RING })
    await agreed([...caches, more], [...NAMES, 'e'], work)
    const stopped = more.stop()
    await agreed(caches, NAMES, work)
    await stopped
    await late.stop()
  })

  it('makes a write again as it was, and not one that a later call for its key may have passed', async () => {
    const late = await startNode({ name: 'f', shardThreads: 1, bridge: memory({ network: together.network }) })
    const more = await late.startCache('ringed', { nodes: [...NAMES, 'f'], ...RING })
    await agreed([...caches, more], [...NAMES, 'f'])
    const [first, second] = KEYS.filter((key) => more.nodeOf(key) === 'f') as [string, string]
    await more.stop()
    const value = { of: ['the call'] }
    const made = caches[0]!.put(first, value, { timeout: 20_000 })
    value.of.push('later')
    const passed = rejected(caches[0]!.put(second, 'passed'), 'ERR_NO_CACHE')
    const after = caches[0]!.put(second, 'after', { timeout: 20_000 })
    expect(await made).to.equal(true)
    expect(await passed).to.include({ outcome: 'none' })
    expect(await after).to.equal(true)
    expect(await caches[1]!.getMany([first, second])).to.deep.equal([{ of: ['the call'] }, 'after'])
    await late.stop()
  })

  it('heals after a partition in which both sides went their ways', async () => {
    together.network.partition(['a'], ['b', 'c'])
    await agreed([caches[0]!], ['a'])
    await agreed(caches.slice(1), ['b', 'c'])
    await Promise.all([...KEYS.map((key) => caches[0]!.put(key, 'by a')), ...KEYS.map((key) => caches[1]!.put(key, 'by b'))])
    together.network.heal()
    await agreed(caches, NAMES)
    await until(async () => {
      const local = await Promise.all(caches.map((cache) => cache.keys({ local: true })))
      return local.every((keys, index) => keys.every((key) => caches[index]!.nodeOf(key) === NAMES[index]))
    }, 'no node to have what it does not own')
    for (const cache of caches) expect(await cache.getMany(KEYS)).to.deep.equal(await caches[0]!.getMany(KEYS))
  })

  it('keeps its owners when the thread of a bridge has died', async () => {
    await Promise.all(KEYS.map((key) => caches[0]!.put(key, key)))
    await together.nodes[0]!.kill('bridge')
    await until(async () => (await caches[0]!.getMany(KEYS).catch(() => [])).filter((value) => value !== undefined).length === KEYS.length, 'all values')
    await agreed(caches, NAMES)
  })

  it('with patterns gives keys to those that match only', async () => {
    const [, second] = await Promise.all([caches[0]!, caches[1]!].map((_, index) => together.nodes[index]!.startCache('some', { ...RING, nodes: ['a', 'b'], router: { name: 'ring', excludes: 'b' } })))
    await until(() => Promise.resolve(second!.nodeOf('k') === 'a'), 'the owner')
    await second!.put('k', 1)
    expect(together.nodes[0]!.getCache('some').getSync('k')).to.equal(1)
    await rejected(Promise.resolve().then(() => second!.getSync('k')), 'ERR_REMOTE_KEY')
  })
})
