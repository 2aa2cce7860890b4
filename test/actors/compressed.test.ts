import { expect } from 'chai'
import { startNode, type Cache, type CacheNode, type CacheOptions } from 'scatterhoard'
import { AttachedThread } from './attached-thread.js'
import { rejected } from './expectations.js'

const FUNCTIONS = new URL('./functions.js', import.meta.url)

describe('compressed values', () => {
  let node: CacheNode
  let number = 0

  before(async () => (node = await startNode({ shardThreads: 1, functions: [FUNCTIONS] })))
  after(() => node.stop())

  const start = (options: CacheOptions): Promise<Cache<unknown>> => node.startCache(`compressed-${++number}`, { shards: 1, memory: '4mb', ...options })
  const used = (cache: Cache<unknown>): Promise<number> => cache.inspect(['memory', 'bytes'])

  it('take less memory beyond the given size, and are as they were below it', async () => {
    const text = 'a line of text, again and again\n'
    const sizes: Record<string, number> = {}
    for (const [name, compressed] of Object.entries({ never: false, always: { over: 0 }, long: { over: '4kb' }, usual: true } as const)) {
      const cache = await start({ compressed })
      const before = await used(cache)
      for (let key = 0; key < 100; key++) await cache.put(key, text.repeat(100))
      const long = await used(cache) - before
      for (let key = 100; key < 1000; key++) await cache.put(key, text.repeat(10))
      sizes[`${name}, long`] = long
      sizes[`${name}, short`] = await used(cache) - before - long
      expect(await cache.get(5)).to.equal(text.repeat(100))
      expect(cache.getSync(500)).to.equal(text.repeat(10))
      await cache.stop()
    }
    for (const name of ['always, long', 'usual, long', 'always, short']) expect(sizes[name], name).to.be.lessThan(sizes[name.replace(/^\w+/, 'never')]! / 3)
    for (const name of ['long, long', 'long, short', 'usual, short']) expect(sizes[name], name).to.equal(sizes[name.replace(/^\w+/, 'never')])
  })

  it('are read by every thread, and by the shard that needs them', async () => {
    const cache = await start({ compressed: { over: 0 } })
    const thread = new AttachedThread()
    await thread.attach(cache)
    const list = Array.from({ length: 500 }, (_, index) => index % 7)
    await thread.call(cache.name, 'put', 'list', list)
    expect(await cache.getAndUpdate('list', 'sums.push', { args: [1] })).to.deep.equal([...list, 1])
    expect(await thread.call(cache.name, 'take', 'list')).to.deep.equal([...list, 1])
    await cache.put('n', 2n ** 4000n)
    expect(await cache.incr('n', 1n)).to.equal(2n ** 4000n + 1n)
    expect(await thread.call(cache.name, 'get', 'n')).to.equal(2n ** 4000n + 1n)
    expect(await cache.inspect(['entry', 'n'])).to.include({ value: 2n ** 4000n + 1n })
    await thread.end()
    await cache.stop()
  })

  it('may be larger than the table takes, if they are not once compressed', async () => {
    const cache = await start({ compressed: true })
    const huge = 'x'.repeat(3 << 20)
    expect(await cache.put('huge', huge)).to.equal(true)
    expect(await cache.get('huge')).to.equal(huge)
    expect(await cache.getAndUpdate('made', 'sums.repeat', { args: [3 << 20] })).to.equal(huge)
    expect(cache.getSync('made')).to.equal(huge)
    const noise = Buffer.from(Array.from({ length: 3 << 20 }, () => Math.random() * 256))
    expect((await rejected(cache.put('noise', noise), 'ERR_TOO_LARGE')).outcome).to.equal('none')
    expect(await cache.exists('noise')).to.equal(false)
    await cache.stop()
  })
})
