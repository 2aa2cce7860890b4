import { expect } from 'chai'
import { registerFunction, type Cache, type CacheEvent, type CacheEvents, type Transaction } from 'scatterhoard'
import { AttachedThread } from '../attached-thread.js'
import { rejected, until } from '../expectations.js'
import { sums } from '../functions.js'
import { inside, type Step } from '../transactions/transaction-functions.js'
import { beside } from './cluster-functions.js'
import { keysOf, startTogether, type Together } from './nodes.js'

type Registered = { unregister(): void }

describe('a transaction on keys of another node', () => {
  let together: Together
  let a: Cache<unknown>
  let b: Cache<unknown>
  /** Keys of node b. */
  let one: string
  let two: string
  let three: string
  const registered: Registered[] = []

  before(async () => {
    together = await startTogether(['a', 'b'], { failureTimeout: 500 })
    for (const node of together.nodes) await node.startCache('gates', { shards: 1, memory: '1mb' })
    ;[a, b] = await together.start('shared', { functions: [sums, beside, inside], commands: { double: { type: 'read', execute: sums.double } } }) as [Cache<unknown>, Cache<unknown>]
    ;[one, two, three] = keysOf(a, 'b', 3) as [string, string, string]
  })
  after(() => together.stop())
  beforeEach(() => a.clear())
  afterEach(() => {
    for (const reference of registered.splice(0)) reference.unregister()
  })

  const steps = (keys: readonly string[], ...args: Step[]): Promise<unknown> => a.transaction(keys, inside.steps, { args })

  function register<F extends (...args: never[]) => unknown>(name: string, run: F): ReturnType<typeof registerFunction<F>> {
    const reference = registerFunction(`afar.${name}`, run)
    registered.push(reference)
    return reference
  }

  describe('and hooks', () => {
    let onA: CacheEvents<unknown>
    let onB: CacheEvents<unknown>

    beforeEach(() => {
      onA = a.events({ actions: 'all' })
      onB = b.events({ actions: 'all' })
    })
    afterEach(() => Promise.all([onA.return(), onB.return()]))

    /** What both have heard when a mark that each node put behind it is there. */
    async function heard(): Promise<{ byA: CacheEvent<unknown>[]; byB: CacheEvent<unknown>[] }> {
      const until = async (cache: Cache<unknown>, events: CacheEvents<unknown>): Promise<CacheEvent<unknown>[]> => {
        await cache.put(three, 'mark')
        const all: CacheEvent<unknown>[] = []
        for (;;) {
          const { value } = await events.next()
          if ((value!.message as readonly unknown[])[2] === 'mark') return all
          all.push(value!)
        }
      }
      return { byA: await until(a, onA), byB: await until(b, onB) }
    }
    const told = (events: readonly CacheEvent<unknown>[]): unknown[] => events.map(({ message, result }) => [...message.slice(0, message[0] === 'transaction' ? 2 : undefined), '→', result])

    it('is seen on the node that calls, each of its actions once and in order, and on the owner\'s not at all', async () => {
      await steps([one, two], ['put', one, 1], ['get', one], ['incr', one], ['transaction', [two], 'inside.steps', { args: [['put', two, 5]] }], ['getMany', [one, two]])
      const { byA, byB } = await heard()
      const results = [true, 1, 2, [true], [2, 5]]
      expect(told(byA)).to.deep.equal([
        ['put', one, 1, '→', true], ['get', one, '→', 1], ['incr', one, 1, '→', 2], ['put', two, 5, '→', true], ['transaction', [two], '→', [true]],
        ['getMany', [one, two], '→', [2, 5]], ['transaction', [one, two], '→', results],
      ])
      expect(byB).to.deep.equal([])
    })

    it('is seen with what it read only, if it comes to nothing', async () => {
      await rejected(steps([one], ['get', one], ['put', one, 1], ['throw', 'error']), 'ERR_FUNCTION_FAILED')
      const { byA, byB } = await heard()
      expect(told(byA.slice(0, 1))).to.deep.equal([['get', one, '→', undefined]])
      expect(byA.map(({ message }) => message[0])).to.deep.equal(['get', 'transaction'])
      expect(byA[1]!.result).to.include({ code: 'ERR_FUNCTION_FAILED' })
      expect(byB).to.deep.equal([])
    })

    it('is seen when it has committed, and not before', async () => {
      const gates = together.nodes[1]!.getCache('gates')
      const ended = steps([one], ['put', one, 1], ['open', 'has written'], ['wait', 'may end'])
      await until(() => gates.existsSync('has written'), 'the write')
      expect((await heard()).byA).to.deep.equal([])
      await gates.put('may end', true)
      await ended
      expect((await heard()).byA.map(({ message }) => message[0])).to.deep.equal(['put', 'transaction'])
    })

    it('is not seen with notify: false, of it or inside of it', async () => {
      await a.transaction([one], inside.steps, { args: [['put', one, 1], ['get', one]], notify: false })
      await steps([one], ['put', one, 2, { notify: false }], ['transaction', [one], 'inside.steps', { args: [['put', one, 3]], notify: false }])
      const { byA, byB } = await heard()
      expect([byA.map(({ message }) => message[0]), byB]).to.deep.equal([['transaction'], []])
      expect(b.getSync(one)).to.equal(3)
    })

    it('is seen if it was told, and if its function is one of this thread', async () => {
      const write = register('write', async (tx: Transaction<unknown>, value: number) => {
        await tx.put(one, value)
        await tx.get(one, { notify: false })
      })
      a.tell(['transaction', [one], inside.steps, { args: [['put', one, 1]] }])
      await until(async () => await a.get(one, { notify: false }) === 1, 'what was told')
      await a.transaction([one], write, { args: [2] })
      const { byA, byB } = await heard()
      expect(byA.filter(({ message }) => message[0] === 'put').map(({ message }) => message)).to.deep.equal([['put', one, 1], ['put', one, 2]])
      expect(byA.filter(({ message }) => message[0] === 'get')).to.deep.equal([])
      expect(byB).to.deep.equal([])
    })
  })

  it('whose function a thread has registered runs on that thread, with the keys locked where they are', async () => {
    await a.putMany([[one, 1], [two, 1]])
    let go = (): void => undefined
    const gate = new Promise<void>((resolve) => (go = resolve))
    const order: string[] = []
    const move = register('move', async (tx: Transaction<number>, by: number) => {
      await tx.decr(one, by)
      expect(await tx.incr(two, by)).to.equal(1 + by)
      expect(await tx.getMany([one, two])).to.deep.equal([1 - by, 1 + by])
      order.push('written')
      await gate
      order.push('ends')
      return { moved: by }
    })
    const moving = a.transaction([one, two], move as never, { args: [5] } as never)
    await until(() => order.length === 1, 'its writes')
    const late = b.incr(one, 100).then((value) => order.push(`after it ${value}`))
    expect([await a.getMany([one, two]), b.getSync(one)]).to.deep.equal([[1, 1], 1])
    await rejected(b.put(two, 0, { timeout: 20 }), 'ERR_TIMEOUT')
    go()
    expect(await moving).to.deep.equal({ moved: 5 })
    await late
    expect(order).to.deep.equal(['written', 'ends', 'after it 96'])
    expect(await a.getMany([one])).to.deep.equal([96])
  })

  it('whose function is of this thread changes nothing if that throws, takes too long, or cannot return what it returns', async () => {
    const ends: (() => unknown)[] = [() => { throw new RangeError('no') }, () => new Promise(() => undefined), () => () => 1]
    const fails = register('fails', async (tx: Transaction<unknown>, how: number) => {
      await tx.put(one, 'written')
      return await ends[how]!()
    })
    await a.put(one, 'before')
    expect(await rejected(a.transaction([one], fails as never, { args: [0] } as never), 'ERR_FUNCTION_FAILED')).to.have.nested.property('cause.message', 'no')
    expect(await rejected(a.transaction([one], fails as never, { args: [1], functionTimeout: 50 } as never), 'ERR_FUNCTION_TIMEOUT')).to.include({ outcome: 'none' })
    await rejected(a.transaction([one], fails as never, { args: [2] } as never), 'ERR_UNSUPPORTED_VALUE')
    expect(b.getSync(one)).to.equal('before')
    // The locks have been given back.
    expect(await b.put(one, 'after', { timeout: 1000 })).to.equal(true)
  })

  it('whose function is of this thread has its keys and no others, and ends when that has returned', async () => {
    let kept: Transaction<unknown> | undefined
    const tries = register('tries', async (tx: Transaction<unknown>) => {
      kept = tx
      const more = tx as unknown as Cache<unknown>
      await rejected(tx.put(two, 1), 'ERR_KEY_NOT_LOCKED')
      await rejected(tx.get(keysOf(a, 'a')[0]!), 'ERR_KEY_NOT_LOCKED')
      await rejected(more.clear(), 'ERR_NOT_IN_TRANSACTION')
      await rejected(more.size(), 'ERR_NOT_IN_TRANSACTION')
      expect(() => more.stream()).to.throw().with.property('code', 'ERR_NOT_IN_TRANSACTION')
      await rejected(tx.put(one, 1, { nothing: 1 } as never), 'ERR_INVALID_ARGUMENT')
      await rejected(tx.put({ no: Symbol('key') } as never, 1), 'ERR_INVALID_KEY')
      // Nobody waits for it, and it belongs to the transaction all the same.
      void tx.put(one, 'careless')
      return 'returned'
    })
    expect(await a.transaction([one], tries)).to.equal('returned')
    expect(b.getSync(one)).to.equal('careless')
    await rejected(kept!.put(one, 'late'), 'ERR_NOT_IN_TRANSACTION')
    expect(await a.get(one)).to.equal('careless')
  })

  it('whose function is of this thread may use others of it inside, and modules\' on the owner', async () => {
    const add = register('add', async (value: number | undefined, by: number) => (value ?? 0) + by)
    const load = register('load', async (key: string) => `loaded ${key}`)
    const nested = register('nested', async (tx: Transaction<unknown>) => tx.incr(one, 100))
    const all = register('all', async (tx: Transaction<unknown>) => [
      await tx.getAndUpdate(one, add as never, { args: [3] }), await tx.getAndUpdate(one, 'sums.add', { args: [4] }), await tx.invoke('double', one, {}),
      await tx.fetch(two, load as never), await tx.transaction([one], nested as never), await tx.transaction([one], inside.steps, { args: [['get', one]] }),
    ])
    const results: unknown[] = await a.transaction([one, two], all)
    expect(results.slice(0, 3)).to.deep.equal([3, 7, 14])
    expect(results.slice(3)).to.deep.equal([`loaded ${two}`, b.getSync(one), [b.getSync(one)]])
    expect(b.getSync(two)).to.equal(`loaded ${two}`)
  })

  it('whose function another thread of the node has registered runs there', async () => {
    const thread = new AttachedThread()
    await thread.attach(a)
    await thread.do({ do: 'registerFunction', name: 'afar.there', each: false, says: 'there' })
    expect(await rejected(a.transaction([one], 'afar.there', { args: ['throw'] }), 'ERR_FUNCTION_FAILED')).to.have.nested.property('cause.message', 'there')
    expect(await thread.do({ do: 'count' })).to.equal(1)
    await thread.end()
    await rejected(a.transaction([one], 'afar.there'), 'ERR_UNKNOWN_FUNCTION')
  })

  it('and execute: what a thread has registered runs there for a key of another node too, and on no other node', async () => {
    await a.put(one, 7)
    const see = register('see', (cache: Cache<unknown>, key: string) => cache.get(key))
    expect(await a.execute(see as never, { args: [one], key: one } as never)).to.equal(7)
    expect(await rejected(a.execute(see as never, { args: [one], node: 'b' } as never), 'ERR_UNKNOWN_FUNCTION')).to.include({ function: 'afar.see', node: 'b' })
  })

  it('of which the node of its function goes down comes to nothing, and gives its locks back', async () => {
    await a.put(one, 'before')
    let has = false
    const hangs = register('hangs', async (tx: Transaction<unknown>) => {
      await tx.put(one, 'written')
      has = true
      return new Promise(() => undefined)
    })
    const ended = rejected(a.transaction([one], hangs as never, { timeout: 20_000, functionTimeout: 20_000 } as never))
    await until(() => has, 'the write')
    together.network.partition(['a'], ['b'])
    expect(await ended).to.include({ code: 'ERR_NODE_DOWN' })
    expect(await b.get(one)).to.equal('before')
    expect(await b.put(one, 'after', { timeout: 3000 })).to.equal(true)
    together.network.heal()
    await until(() => a.get(one).catch(() => undefined), 'the other node')
  })
})
