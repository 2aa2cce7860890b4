import { expect } from 'chai'
import fc from 'fast-check'
import { startNode, type Cache, type CacheNode, type Key } from 'scatterhoard'
import { Scratch } from '../../runtime/codec/scratch.js'
import { encodeKey } from '../../runtime/codec/key.js'

/** What the model knows of an entry. */
interface Entry {
  key: Key
  value: unknown
  modified: number
  expires: number | null
  duration: number | null
}

/** A cache as a Map: the whole of what the actions promise, without threads, bytes and shards. */
class Model {
  readonly entries = new Map<string, Entry>()
  readonly now: () => number
  readonly defaultMs: number | null

  constructor(now: () => number, defaultMs: number | null) {
    this.now = now
    this.defaultMs = defaultMs
  }

  live(key: Key): Entry | undefined {
    const entry = this.entries.get(nameOf(key))
    return entry === undefined || this.isExpired(entry) ? undefined : entry
  }

  isExpired({ expires }: Entry): boolean {
    return expires !== null && expires <= this.now()
  }

  set(key: Key, value: unknown, expireMs: number | null): void {
    if (expireMs !== null && expireMs <= 0) this.entries.delete(nameOf(key))
    else this.entries.set(nameOf(key), { key, value, modified: this.now(), ...this.expiry(expireMs) })
  }

  expiry(expireMs: number | null): Pick<Entry, 'expires' | 'duration'> {
    return { expires: expireMs === null ? null : this.now() + Math.ceil(expireMs), duration: expireMs === null ? null : Math.ceil(expireMs) }
  }

  change(key: Key, change: (entry: Entry) => void): boolean {
    const entry = this.live(key)
    if (entry !== undefined) change(entry)
    return entry !== undefined
  }
}

const scratch = new Scratch()

function nameOf(key: Key): string {
  scratch.reset()
  encodeKey(key, scratch)
  return scratch.bytes.toString('hex', 0, scratch.end)
}

interface Step {
  on: Cache<unknown>
  model: Model
  readonly advance: (ms: number) => Promise<void>
}

type Command = (step: Step) => Promise<void>

const key = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<Key>('a', 'b', 'c', 1, '1', null) },
  fc.constantFrom<Key>(true, 1n, -0, 0, NaN, '', '\ud800', 'é', 'e\u0301', '\0', '__proto__', ['a', 1], { x: 1, y: [2] }, { y: [2], x: 1 }, new Date(5), new Uint8Array([1, 2]), Buffer.from([1, 2]), 'k'.repeat(500)),
)
const value = fc.oneof(
  fc.integer(), fc.double(), fc.string({ unit: 'binary' }), fc.constant(null), fc.boolean(), fc.bigInt(), fc.uint8Array(), fc.date({ noInvalidDate: true }),
  fc.array(fc.oneof(fc.integer(), fc.string()), { maxLength: 20 }), fc.dictionary(fc.string().filter((name) => name !== '__proto__'), fc.integer(), { noNullPrototype: true }),
  fc.integer({ min: 1, max: 30_000 }).map((length) => 'v'.repeat(length)),
)
const ttl = fc.oneof(fc.constant(undefined), fc.constant(null), fc.integer({ min: -5, max: 2000 }), fc.constantFrom(0.5, 99.5))

/** An action's result has to be the model's. */
function same(actual: unknown, expected: unknown): void {
  expect(actual).to.deep.equal(expected)
}

const command: fc.Arbitrary<{ text: string; run: Command }> = fc.oneof(
  described('put', [key, value, ttl, fc.constantFrom(undefined, 'absent' as const, 'present' as const)], (k, v, expire, condition) => async ({ on, model }) => {
    const stores = condition === undefined || (condition === 'present') === (model.live(k) !== undefined)
    same(await on.put(k, v, { expire, if: condition }), stores)
    if (stores) model.set(k, v, expire === undefined ? model.defaultMs : expire)
  }),
  described('get', [key], (k) => async ({ on, model }) => same(await on.get(k), model.live(k)?.value)),
  described('getSync', [key], (k) => async ({ on, model }) => {
    same(on.getSync(k), model.live(k)?.value)
    same(on.existsSync(k), model.live(k) !== undefined)
  }),
  described('getMany', [fc.array(key)], (keys) => async ({ on, model }) => same(await on.getMany(keys), keys.map((k) => model.live(k)?.value))),
  described('update', [key, value], (k, v) => async ({ on, model }) => same(await on.update(k, v), model.change(k, (entry) => (entry.value = v)))),
  described('take', [key], (k) => async ({ on, model }) => {
    same(await on.take(k), model.live(k)?.value)
    if (model.live(k) !== undefined) model.entries.delete(nameOf(k))
  }),
  described('del', [key], (k) => async ({ on, model }) => {
    same(await on.del(k), model.live(k) !== undefined)
    model.entries.delete(nameOf(k))
  }),
  described('delMany', [fc.array(key)], (keys) => async ({ on, model }) => {
    let count = 0
    for (const k of keys) {
      if (model.live(k) !== undefined) count++
      model.entries.delete(nameOf(k))
    }
    same(await on.delMany(keys), count)
  }),
  described('exists', [key], (k) => async ({ on, model }) => same(await on.exists(k), model.live(k) !== undefined)),
  described('expire', [key, ttl], (k, expire = 50) => async ({ on, model }) => {
    same(await on.expire(k, expire), model.change(k, (entry) => {
      if (expire !== null && expire <= 0) model.entries.delete(nameOf(k))
      else Object.assign(entry, model.expiry(expire), { modified: model.now() })
    }))
  }),
  described('persist', [key], (k) => async ({ on, model }) => same(await on.persist(k), model.change(k, (entry) => Object.assign(entry, model.expiry(null), { modified: model.now() })))),
  described('refresh', [key], (k) => async ({ on, model }) => same(await on.refresh(k), model.change(k, (entry) => Object.assign(entry, model.expiry(entry.duration), { modified: model.now() })))),
  described('touch', [key], (k) => async ({ on, model }) => same(await on.touch(k), model.change(k, (entry) => (entry.modified = model.now())))),
  described('ttl', [key], (k) => async ({ on, model }) => {
    const entry = model.live(k)
    same(await on.ttl(k), entry === undefined ? undefined : entry.expires === null ? null : entry.expires - model.now())
  }),
  described('incr', [key, fc.integer({ min: -100, max: 100 })], (k, by) => async ({ on, model }) => {
    const entry = model.live(k)
    if (entry !== undefined && typeof entry.value !== 'number') return same(await on.incr(k, by).catch((error: unknown) => (error as { code: string }).code), 'ERR_NON_NUMERIC_VALUE')
    const sum = (entry === undefined ? 0 : entry.value as number) + by
    same(await on.incr(k, by), sum)
    if (entry === undefined) model.set(k, sum, model.defaultMs)
    else entry.value = sum
  }),
  described('entry', [key], (k) => async ({ on, model }) => {
    const entry = model.entries.get(nameOf(k))
    const shown = await on.inspect(['entry', k])
    same(shown === undefined ? undefined : { value: shown.value, modified: shown.modified, expires: shown.expires },
      entry === undefined ? undefined : { value: entry.value, modified: entry.modified, expires: entry.expires })
  }),
  described('keys', [], () => async ({ on, model }) => {
    const expected = [...model.entries.values()].filter((entry) => !model.isExpired(entry)).map((entry) => nameOf(entry.key)).sort()
    same((await on.keys()).map(nameOf).sort(), expected)
    same(await on.isEmpty(), expected.length === 0)
    same(await on.size(), model.entries.size)
    same(await on.size({ expired: false }), expected.length)
  }),
  described('purge', [], () => async ({ on, model }) => {
    const expired = [...model.entries].filter(([, entry]) => model.isExpired(entry))
    same(await on.purge(), expired.length)
    for (const [name] of expired) model.entries.delete(name)
  }),
  described('clear', [], () => async ({ on, model }) => {
    same(await on.clear(), model.entries.size)
    model.entries.clear()
  }),
  described('advance', [fc.integer({ min: 0, max: 1500 })], (ms) => ({ advance }) => advance(ms)),
)

function described<T extends unknown[]>(name: string, parts: { [K in keyof T]: fc.Arbitrary<T[K]> }, make: (...args: T) => Command): fc.Arbitrary<{ text: string; run: Command }> {
  return fc.tuple(...parts).map((args) => ({ text: `${name}(${fc.stringify(args).slice(1, -1)})`, run: make(...args as unknown as T) }))
}

describe('a cache does what a Map with times does', () => {
  let node: CacheNode

  before(async () => {
    node = await startNode({ shardThreads: 2 })
    // On a whole millisecond: then times are exact.
    node.clock.hold()
    node.clock.advance(1 - node.clock.now() % 1)
  })
  after(() => node.stop())

  for (const [shards, defaultMs] of [[1, null], [2, 500], [3, null]] as const) {
    it(`with ${shards} shards, ${defaultMs === null ? 'no default expiry' : 'a default expiry'}`, async () => {
      const on = await node.startCache(`model-${shards}`, { shards, memory: '32mb', expiration: { interval: null, default: defaultMs } })
      await fc.assert(fc.asyncProperty(fc.array(command, { maxLength: 60, size: 'max' }), async (commands) => {
        await on.clear()
        const model = new Model(() => Math.round(node.clock.now()), defaultMs)
        const advance = async (ms: number): Promise<void> => node.clock.advance(ms)
        for (const { run } of commands) await run({ on, model, advance })
      }), { numRuns: 60 })
    })
  }
})
