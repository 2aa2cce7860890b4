import { expect } from 'chai'
import { commit, ignore, registerFunction, startNode, type Cache, type CacheNode } from 'scatterhoard'
import { rejected } from '../expectations.js'

const turn = (): Promise<unknown> => new Promise(setImmediate)

describe('getAndUpdate with a function of the application\'s thread', () => {
  let node: CacheNode
  let cache: Cache<unknown>
  const add = registerFunction('updates.add', async (value: unknown, by: number) => {
    await turn()
    return (typeof value === 'number' ? value : 0) + by
  })
  const committed = registerFunction('updates.committed', () => commit('c', { expire: 10_000 }))
  const ignored = registerFunction('updates.ignored', (value: unknown) => ignore(['seen', value]))
  const fails = registerFunction('updates.fails', () => { throw new RangeError('no') })

  before(async () => {
    node = await startNode({ name: 'updates', shardThreads: 2 })
    cache = await node.startCache('updates', { shards: 2, memory: '4mb' })
  })
  after(async () => {
    for (const reference of [add, committed, ignored, fails]) reference.unregister()
    await node.stop()
  })

  const update = (key: string, name: string, options: object = {}): Promise<unknown> => cache.getAndUpdate(key, name, options)

  it('locks the key around it: nothing comes between, though it waits', async () => {
    const sums = await Promise.all(Array.from({ length: 20 }, () => update('n', 'updates.add', { args: [2] })))
    expect(sums).to.have.members(Array.from({ length: 20 }, (_, index) => (index + 1) * 2))
    expect(await cache.get('n')).to.equal(40)
  })

  it('lets plain writers of the key wait for it', async () => {
    const updated = update('w', 'updates.add', { args: [1] })
    const written = cache.put('w', 100)
    await Promise.all([updated, written])
    expect([1, 100, 101]).to.include(await cache.get('w'))
    expect(await updated).to.be.oneOf([1, 101])
  })

  it('keeps expiry and modified time, unless it commits an expiry; ignore stores nothing', async () => {
    await cache.put('k', 1, { expire: 50_000 })
    const before = await cache.inspect(['entry', 'k'])
    await update('k', 'updates.add', { args: [1] })
    const after = await cache.inspect(['entry', 'k'])
    expect([after!.modified, after!.expires, after!.value]).to.deep.equal([before!.modified, before!.expires, 2])
    expect(await update('k', 'updates.committed')).to.equal('c')
    expect(await cache.ttl('k')).to.be.within(9000, 10_000)
    expect((await cache.inspect(['entry', 'k']))!.modified).to.equal(before!.modified)
    expect(await update('new', 'updates.committed')).to.equal('c')
    expect(await cache.ttl('new')).to.be.within(9000, 10_000)
    expect(await update('missing', 'updates.ignored', { default: 'd' })).to.deep.equal(['seen', 'd'])
    expect(await cache.exists('missing')).to.equal(false)
  })

  it('stores nothing if it throws, and gives the key back', async () => {
    await cache.put('f', 'kept')
    expect((await rejected(update('f', 'updates.fails'), 'ERR_FUNCTION_FAILED')).cause).to.be.instanceOf(RangeError)
    expect(await cache.get('f')).to.equal('kept')
    expect(await cache.put('f', 'free', { timeout: 2000 })).to.equal(true)
  })
})
