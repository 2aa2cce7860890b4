import { expect } from 'chai'
import { startNode, type Cache, type CacheNode, type CacheOptions, type Entry, type ImportedEntry } from 'scatterhoard'
import { rejected, until } from '../expectations.js'

const entries = (count: number, bytes = 100): ImportedEntry<unknown>[] => Array.from({ length: count }, (_, n) => ({ key: n, value: String(n).padEnd(bytes, '.') }))

describe('import', () => {
  let node: CacheNode
  let caches = 0
  const start = (options: CacheOptions = {}): Promise<Cache<unknown>> =>
    node.startCache(`import-${++caches}`, { shards: 2, memory: '32mb', expiration: { interval: null }, ...options })

  before(async () => {
    node = await startNode({ name: 'imports', shardThreads: 1 })
  })
  after(() => node.stop())

  for (const mailbox of [{ bytes: 1024, overflow: 'reject' }, { messages: 1, overflow: 'reject' }, { messages: 2, bytes: 4096, overflow: 'wait', waiting: 0 }, { bytes: 2048, overflow: 'drop' }] as const) {
    it(`goes through a mailbox ${JSON.stringify(mailbox)}`, async () => {
      await using cache = await start({ mailbox })
      expect(await cache.import(entries(1000))).to.equal(1000)
      expect(await cache.size()).to.equal(1000)
      expect(await cache.import([{ key: 'large', value: 'x'.repeat(50_000) }, ...entries(200)])).to.equal(201)
      expect(cache.getSync('large')).to.have.lengthOf(50_000)
    })
  }

  it('is seen by a read of the same handle that comes behind it', async () => {
    await using cache = await start()
    const imported = cache.import(entries(300))
    expect(await cache.get(299)).to.equal('299'.padEnd(100, '.'))
    expect(await cache.size()).to.equal(300)
    expect(await imported).to.equal(300)
  })

  it('is a message without a reply too', async () => {
    await using cache = await start()
    expect(cache.tell(['import', entries(300)])).to.equal(true)
    expect(await cache.get(299)).to.equal('299'.padEnd(100, '.'))
    expect(await cache.size()).to.equal(300)
    await using small = await start({ mailbox: { bytes: 1024, overflow: 'drop' } })
    for (let n = 0; n < 20; n++) await small.put(n, n)
    expect(small.tell(['import', entries(30_000)])).to.equal(false)
  })

  it('stops at an entry for which there is no room, and says that some are stored', async () => {
    await using cache = await start({ memory: '256kb', limit: { policy: 'none' } })
    const error = await rejected(cache.import(entries(5000)), 'ERR_FULL')
    expect(error.outcome).to.equal('unknown')
    expect(await cache.size()).to.be.greaterThan(100)
  })

  it('takes an iterable, and is not confused by code of the entries that calls the cache', async () => {
    await using cache = await start()
    let written: Promise<unknown> | undefined
    function* odd(): Generator<ImportedEntry<unknown>> {
      for (let n = 0; n < 10; n++) {
        yield {
          key: { get id() { written = cache.put('nested', n); return n } },
          get value() { void cache.get('nested'); return { get n() { void cache.getSync('x'); return n } } },
        }
      }
    }
    expect(await cache.import(odd())).to.equal(10)
    await written
    const all: Entry[] = await cache.export()
    expect(all).to.have.lengthOf(11)
    for (const { key, value } of all) if (key !== 'nested') expect(value).to.deep.equal({ n: (key as { id: number }).id })
    expect(await cache.get('nested')).to.equal(9)
    // Told, too: what the entries' code calls is asked.
    expect(cache.tell(['import', odd()])).to.equal(true)
    expect(await written).to.equal(true)
  })

  it('rejects with the reason of its signal, and with ERR_TIMEOUT, and does not go on', async () => {
    await using cache = await start({ mailbox: { bytes: 1024 } })
    const controller = new AbortController()
    const imported = cache.import(entries(20_000), { signal: controller.signal })
    // Not by a call, which would wait for its turn behind the import.
    await until(() => cache.existsSync(0), 'the first entry')
    controller.abort('enough')
    expect(await rejected(imported)).to.equal('enough')
    const size = await cache.size()
    expect(size).to.be.below(20_000)
    await cache.size()
    expect(await cache.size()).to.equal(size)
    expect((await rejected(cache.import(entries(20_000), { timeout: 5 }), 'ERR_TIMEOUT')).outcome).to.equal('unknown')
    expect(await rejected(cache.import([], { signal: AbortSignal.abort('before') }))).to.equal('before')
  })

  it('ends with ERR_STOPPED when the cache stops', async () => {
    const cache = await start({ mailbox: { bytes: 1024 } })
    const imported = rejected(cache.import(entries(50_000)), 'ERR_STOPPED')
    // Not by a call, which would wait for its turn behind the import.
    await until(() => cache.existsSync(0), 'the first entry')
    await cache.stop()
    await imported
    await rejected(cache.import([]), 'ERR_STOPPED')
    await rejected(cache.export(), 'ERR_STOPPED')
  })
})
