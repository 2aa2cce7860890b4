import { expect } from 'chai'
import { startNode, type CacheNode } from 'scatterhoard'
import { AttachedThread } from '../attached-thread.js'
import { until } from '../expectations.js'

describe('inspect', () => {
  let node: CacheNode

  before(async () => {
    node = await startNode({ shardThreads: 2 })
    node.clock.hold()
  })
  after(() => node.stop())

  it('janitor, last: nothing before its first run, then when it began, how long it took and what it removed', async () => {
    const cache = await node.startCache('swept', { shards: 3, memory: '4mb', expiration: { interval: 1000 } })
    const thread = new AttachedThread()
    await thread.attach(cache)
    expect(await cache.inspect(['janitor', 'last'])).to.equal(undefined)
    for (let key = 0; key < 30; key++) await cache.put(key, key, key < 20 ? { expire: 500 } : {})
    /** Lets the janitor run once, and every shard be through. */
    const run = async (): Promise<unknown> => {
      node.clock.advance(1000)
      await node.clockMoved()
      const began = Math.floor(node.clock.now())
      const last = async () => cache.inspect(['janitor', 'last'])
      await until(async () => (await last())?.started === began, 'the run')
      return last()
    }
    expect(await run()).to.deep.equal({ started: Math.floor(node.clock.now()), duration: 0, count: 20 })
    expect(await cache.size()).to.equal(10)
    expect(await run()).to.deep.equal({ started: Math.floor(node.clock.now()), duration: 0, count: 0 })
    expect(await thread.call('swept', 'inspect', ['janitor', 'last'])).to.deep.equal(await cache.inspect(['janitor', 'last']))
    await thread.end()
    await cache.stop()
  })

  it('entry: key, value and times, of one that has expired too', async () => {
    const cache = await node.startCache('looked-at', { shards: 1, memory: '1mb', expiration: { interval: null } })
    const put = Math.floor(node.clock.now())
    await cache.put({ id: 1 }, { a: [1] }, { expire: 500 })
    node.clock.advance(700)
    expect(await cache.get({ id: 1 })).to.equal(undefined)
    expect(await cache.inspect(['entry', { id: 1 }])).to.deep.equal({ key: { id: 1 }, value: { a: [1] }, modified: put, expires: put + 500 })
    expect(await cache.inspect(['expired', 'keys'])).to.deep.equal([{ id: 1 }])
    expect(await cache.inspect(['expired', 'count'])).to.equal(1)
    await cache.purge()
    expect(await cache.inspect(['entry', { id: 1 }])).to.equal(undefined)
    await cache.stop()
  })

  it('memory, shards, mailboxes: what is used, in bytes and in words, by the shard, and what waits', async () => {
    const cache = await node.startCache('used', { shards: 2, memory: '4mb' })
    const empty = await cache.inspect(['memory', 'bytes'])
    await Promise.all(Array.from({ length: 500 }, (_, key) => cache.put(key, 'x'.repeat(1000))))
    const bytes = await cache.inspect(['memory', 'bytes'])
    expect(bytes - empty).to.be.within(500_000, 700_000)
    expect(await cache.inspect(['memory', 'text'])).to.equal(`${(bytes / 1024).toFixed(2)} kb`)
    const shards = await cache.inspect('shards')
    expect(shards.map(({ shard, actor }) => [shard, actor])).to.deep.equal([[0, 'cache:used/shards/shard-0'], [1, 'cache:used/shards/shard-1']])
    expect(shards.reduce((sum, { entries }) => sum + entries, 0)).to.equal(500)
    expect(shards.reduce((sum, { bytesUsed }) => sum + bytesUsed, 0)).to.equal(bytes)
    const waiting = Array.from({ length: 50 }, (_, key) => cache.put(key, 1))
    const mailboxes = await cache.inspect('mailboxes')
    expect(mailboxes.map(({ actor }) => actor).sort()).to.deep.equal(shards.map(({ actor }) => actor))
    expect(mailboxes.reduce((sum, { outstanding }) => sum + outstanding, 0)).to.equal(50)
    await Promise.all(waiting)
    await cache.stop()
  })
})
