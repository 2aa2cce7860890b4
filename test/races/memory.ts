/**
 * The bound of a cache's memory, whatever is written, and the process's memory over millions of writes.
 *
 *     node dist/test/races/memory.js --large 20000 --writes 10000000 --seed 1
 */
import { startNode, type Cache } from 'scatterhoard'
import { setImmediate as turn } from 'node:timers/promises'
import { inMb, MemoryWatch } from './memory-watch.js'
import { randomOf, runScript, Violations, type Outcome } from './script.js'

const MB = 2 ** 20
const BOUND = 16 * MB
const SHARDS = 2
/** Values of up to a quarter of a table, with what key and encoding take. */
const MAX_VALUE = BOUND / SHARDS / 4 - 1024
/** What is not in the tables: lanes, bodies of large messages until they are collected. */
const BESIDE = 144 * MB
const IN_FLIGHT = 512

export interface MemoryParameters extends Record<string, number> {
  /** Writes of all sizes, up to a quarter of a table. */
  large: number
  /** Writes of usual sizes. */
  writes: number
  seed: number
}

export async function memory({ large, writes, seed }: MemoryParameters): Promise<Outcome> {
  const violations = new Violations()
  const bounded = await fillBeyond(large, seed, violations)
  const steady = await writeOn(writes, seed, violations)
  return { figures: { ...bounded, ...steady }, violations: violations.list }
}

/** Keeps at most `IN_FLIGHT` operations on their way. */
class Window {
  #inFlight = 0
  readonly #violations: Violations

  constructor(violations: Violations) {
    this.#violations = violations
  }

  add(operation: Promise<unknown>): void {
    this.#inFlight++
    operation.then(() => this.#inFlight--, (error: unknown) => {
      this.#inFlight--
      this.#violations.add(`a write failed with ${String(error)}`)
    })
  }

  async room(atMost = IN_FLIGHT): Promise<void> {
    while (this.#inFlight > atMost) await turn()
  }
}

async function fillBeyond(writes: number, seed: number, violations: Violations): Promise<Record<string, string>> {
  const random = randomOf(seed)
  await using node = await startNode({ shardThreads: SHARDS })
  const cache = await node.startCache<Buffer>('bounded', { shards: SHARDS, memory: '16mb', expiration: { interval: 100 } })
  await cache.put('first', Buffer.alloc(MAX_VALUE))
  const before = process.memoryUsage().rss
  const window = new Window(violations)
  const look = async (): Promise<number> => {
    const bytes = await cache.inspect(['memory', 'bytes'])
    violations.check(bytes <= BOUND, () => `${bytes} bytes are used of ${BOUND}`)
    return bytes
  }
  let most = 0
  let mostResident = before
  for (let n = 0; n < writes; n++) {
    window.add(mixed(cache, `key:${random(5000)}`, random, () => Buffer.alloc(sizeUpTo(MAX_VALUE, random), n)))
    if (n % 64 === 0) {
      // Large bodies wait in memory of the sender's own: not too many at once.
      await window.room(32)
      most = Math.max(most, await look())
      mostResident = Math.max(mostResident, process.memoryUsage().rss)
    }
  }
  await window.room(0)
  await look()
  const grown = mostResident - before
  violations.check(grown <= BOUND + BESIDE, () => `a cache of ${inMb(BOUND)} let the process grow by ${inMb(grown)}`)
  return { 'bytes in the tables at most': `${inMb(most)} of ${inMb(BOUND)}`, 'resident memory grew at most by': inMb(grown) }
}

async function writeOn(writes: number, seed: number, violations: Violations): Promise<Record<string, string | number>> {
  const random = randomOf(seed)
  await using node = await startNode({ shardThreads: SHARDS })
  const cache = await node.startCache<Buffer>('steady', { shards: SHARDS, memory: '48mb', expiration: { interval: 500 } })
  const window = new Window(violations)
  const watch = new MemoryWatch(Math.min(1, Math.max(0.1, 1e6 / writes)))
  const filling = Buffer.alloc(8192, 'filling ')
  const start = performance.now()
  for (let n = 0; n < writes; n++) {
    window.add(mixed(cache, `key:${random(200_000)}`, random, () => filling.subarray(0, 10 + sizeUpTo(random(50) === 0 ? 8000 : 200, random))))
    if (n % 128 === 0) await window.room()
    if (n % 20_000 === 0) watch.sample(n / writes)
  }
  await window.room(0)
  const seconds = (performance.now() - start) / 1000
  watch.sample(1)
  watch.check(violations)
  const [{ dropped, refused, outstanding } = { dropped: 0, refused: 0, outstanding: 0 }] = await cache.inspect('mailboxes')
  violations.check(dropped + refused + outstanding === 0, () => `${dropped} dropped, ${refused} refused, ${outstanding} outstanding at the end`)
  return { writes, 'writes a second': Math.round(writes / seconds), ...watch.figures() }
}

/** Mostly a put, one in five with an expiry; at times a delete or an expiry. */
function mixed(cache: Cache<Buffer>, key: string, random: (below: number) => number, value: () => Buffer): Promise<unknown> {
  const choice = random(100)
  if (choice < 68) return cache.put(key, value())
  if (choice < 85) return cache.put(key, value(), { expire: 1 + random(3000) })
  if (choice < 95) return cache.del(key)
  return cache.expire(key, 1 + random(3000))
}

/** All orders of magnitude alike, from 10 bytes. */
function sizeUpTo(most: number, random: (below: number) => number): number {
  return Math.floor(10 * (most / 10) ** (random(1_000_000) / 1_000_000))
}

await runScript(import.meta.url, { large: 20_000, writes: 10_000_000, seed: 1 }, memory)
