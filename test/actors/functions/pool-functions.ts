/** Functions for tests of the pool, as an application would have them: good ones, and those that do everything wrong. */
import { commit, defineFunctions, getCache, ignore, type Cache } from 'scatterhoard'
import { setTimeout as sleep } from 'node:timers/promises'
import { threadId } from 'node:worker_threads'
import { thrownBy } from '../functions.js'

const gates = new Map<string, () => void>()
let running = 0
let most = 0

/** Resolves when `open(name)` was called on this thread. */
function opened(name: string): Promise<void> {
  return new Promise((resolve) => gates.set(name, resolve))
}

export const jobs = defineFunctions('jobs', import.meta.url, {
  add: (a: number, b: number) => a + b,
  echo: async (value: unknown, ...more: unknown[]) => [value, ...more],
  nothing: () => undefined,
  commitFor: (value: number, expire: number | string | null) => commit(value, { expire }),
  commitAsItIs: (value: number) => commit(value),
  ignored: (value: unknown) => ignore(value),
  thread: () => threadId,
  throws: (kind: string) => { throw thrownBy(kind) },
  rejects: async (kind: string) => { throw thrownBy(kind) },
  later: async (ms: number) => {
    await sleep(ms)
    return ms
  },
  never: () => new Promise(() => undefined),
  hang: () => { for (;;); },
  hangLater: async () => {
    await sleep(1)
    for (;;);
  },
  busy: (ms: number) => {
    const end = performance.now() + ms
    while (performance.now() < end);
    return ms
  },
  exit: (code: number) => process.exit(code),
  exitLater: async () => {
    await sleep(1)
    process.exit(3)
  },
  throwLater: () => new Promise(() => setTimeout(() => { throw new RangeError('thrown later') }, 1)),
  fill: () => {
    const hoard: unknown[] = []
    for (;;) hoard.push({ row: hoard.length, columns: [hoard.length, 'text'] })
  },
  symbol: () => Symbol('not data'),
  /** Ends when its gate is opened. */
  gate: async (name: string) => {
    await opened(name)
    return threadId
  },
  open: (name: string) => {
    const open = gates.get(name)
    gates.delete(name)
    open?.()
    return open !== undefined
  },
  counted: async (ms: number) => {
    most = Math.max(most, ++running)
    await sleep(ms)
    running--
  },
  /** The most that were counted at a time. */
  most: () => most,
  nameOf: (cache: Cache<unknown>, extra: string) => `${cache.name}${extra}`,
  nameOfLast: (extra: string, cache: Cache<unknown>) => `${extra}${cache.name}`,
  bump: (cache: Cache<number>, key: string, by: number) => cache.incr(key, by),
  /** Calls itself until it is at the bottom. */
  descend: async (cache: Cache<number>, depth: number): Promise<number> => depth === 0 ? 0 : (await cache.execute('jobs.descend', { args: [depth - 1] }) as number) + 1,
  wrapped: (_cache: Cache<number>, value: number) => ignore(value),
  bumpLater: async (cache: Cache<number>, key: string) => {
    await sleep(50)
    return cache.incr(key)
  },
  read: (cache: string, key: string) => getCache(cache).get(key),
  incrBy: (cache: string, key: string, by: number) => getCache<number>(cache).incr(key, by),
  /** Has the shard at work for a while. */
  waitFor: (cache: string, key: string) => getCache<number>(cache).getAndUpdate(key, 'jobs.holdShard'),
  holdShard: () => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)
    return 1
  },
})
