import { expect } from 'chai'
import { registerFunction, startNode, type Cache, type CacheNode, type Entry, type RegisteredFunction } from 'scatterhoard'
import { threadId } from 'node:worker_threads'
import { AttachedThread } from '../attached-thread.js'
import { rejected } from '../expectations.js'

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of stream) all.push(item)
  return all
}

describe('stream where a registered function says so', () => {
  let node: CacheNode
  let thread: AttachedThread
  const registered: RegisteredFunction[] = []
  let caches: Cache<unknown>[]

  function register<R>(name: string, run: (entry: Entry) => R): RegisteredFunction<(entry: Entry) => R> {
    const reference = registerFunction(`where.${name}`, run)
    registered.push(reference)
    return reference
  }

  before(async () => {
    node = await startNode({ name: 'where', shardThreads: 1, pool: { threads: 1 } })
    node.clock.hold()
    caches = await Promise.all([false, true].map((ordered) => node.startCache(`where-${String(ordered)}`, { shards: 3, memory: '24mb', ordered, functionTimeout: 500, expiration: { interval: null } })))
    thread = new AttachedThread()
    for (const cache of caches) await thread.attach(cache)
  })
  after(async () => {
    await thread.end()
    await node.stop()
  })
  afterEach(async () => {
    for (const reference of registered.splice(0)) reference.unregister()
    await Promise.all(caches.map((cache) => cache.clear()))
  })

  for (const which of [0, 1]) {
    describe(which === 0 ? 'of a cache' : 'of an ordered cache', () => {
      let cache: Cache<unknown>
      beforeEach(() => (cache = caches[which]!))

      const fill = async (entries: number): Promise<void> => {
        for (let n = 0; n < entries; n++) void cache.put(n, n)
        await cache.size()
      }
      const expectKeys = (keys: unknown[], expected: unknown[]): void => void (which === 1 ? expect(keys).to.deep.equal(expected) : expect(keys).to.have.members(expected).and.have.lengthOf(expected.length))

      for (const batch of [1, 7, 1000]) {
        it(`yields what it chooses, synchronous or not, in batches of ${batch}`, async () => {
          await fill(700)
          const even = register('even', ({ value }) => (value as number) % 2 === 0)
          const later = register('later', async ({ key }) => Promise.resolve((key as number) >= 690))
          expectKeys(await collect(cache.stream({ where: even, select: 'key', batch })), Array.from({ length: 350 }, (_, n) => n * 2))
          expectKeys(await collect(cache.stream({ where: later, select: 'value', batch })), [690, 691, 692, 693, 694, 695, 696, 697, 698, 699])
          expectKeys(await collect(cache.stream({ where: 'where.even', select: 'key', batch })), Array.from({ length: 350 }, (_, n) => n * 2))
        })
      }

      it('calls it on its thread with whole entries, once for each, from wherever it is asked', async () => {
        const seen: Entry[] = []
        const threads = new Set<number>()
        register('look', (entry) => {
          seen.push(entry)
          return threads.add(threadId).size === 1
        })
        await cache.put('a', new Map([[1, 'x']]), { expire: 1000 })
        await cache.put('b', [1, , 3])  
        await cache.put('c', 'expired', { expire: 10 })
        node.clock.advance(20)
        await node.clockMoved()
        const entries = await collect(cache.stream())
        expect(await thread.do({ do: 'collect', cache: cache.name, options: { where: 'where.look' } })).to.deep.equal(entries)
        expect(seen).to.have.deep.members(entries).and.have.lengthOf(2)
        expect(threads).to.deep.equal(new Set([threadId]))
        await thread.do({ do: 'registerFunction', name: 'where.there', each: false, says: 'there' })
        expect(await collect(cache.stream({ where: 'where.there' }))).to.deep.equal(entries)
        await thread.do({ do: 'unregister', name: 'where.there' })
      })

      it('takes a slow one a few entries at a time, within the limit of each call', async () => {
        await fill(60)
        const slow = register('slow', async () => {
          await new Promise((resolve) => setTimeout(resolve, 15))
          return true
        })
        expect(await collect(cache.stream({ where: slow, select: 'key' }))).to.have.lengthOf(60)
      })

      it('fails with what it throws or when it never ends, at the first entry', async () => {
        await fill(3)
        const fails = register('fails', (): boolean => { throw new RangeError('no') })
        expect((await rejected(collect(cache.stream({ where: fails })), 'ERR_FUNCTION_FAILED')).cause).to.be.instanceOf(RangeError)
        const never = register('never', () => new Promise<boolean>(() => undefined))
        expect(await rejected(collect(cache.stream({ where: never })), 'ERR_FUNCTION_TIMEOUT')).to.include({ function: 'where.never' })
        await rejected(collect(cache.stream({ where: never, timeout: 50 })), 'ERR_TIMEOUT')
        const aborting = new AbortController()
        const aborted = rejected(collect(cache.stream({ where: never, signal: aborting.signal })))
        aborting.abort(new Error('enough'))
        expect((await aborted).message).to.equal('enough')
      })
    })
  }
})
