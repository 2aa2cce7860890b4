/** Functions for tests, as an application would have them: good ones, and those that do everything wrong. */
import { commit, defineFunctions, ignore, registerClass, type Cache, type CacheOptions } from 'scatterhoard'
import { isMainThread } from 'node:worker_threads'

export const sums = defineFunctions('sums', import.meta.url, {
  add: (value: number | undefined, by: number) => (value ?? 0) + by,
  double: (value: number | undefined) => (value ?? 0) * 2,
  seen: (value: unknown) => ignore(value),
  nothing: (_value: unknown) => undefined,
  commitFor: (_value: unknown, value: number, expire: number | string | null) => commit(value, { expire }),
  commitAsItIs: (_value: unknown, value: number) => commit(value),
  repeat: (_value: unknown, count: number) => 'x'.repeat(count),
  push: (list: number[] | undefined, item: number) => [...list ?? [], item],
})

export const lists = defineFunctions('lists', import.meta.url, {
  length: (list: unknown[] | undefined) => list?.length ?? 0,
  at: (list: unknown[] | undefined, index: number) => list?.[index] ?? null,
  pop: (list: unknown[] | undefined) => list === undefined || list.length === 0 ? ignore(undefined) : [list.at(-1), list.slice(0, -1)],
  add: (list: unknown[] | undefined, ...items: unknown[]) => [(list?.length ?? 0) + items.length, [...list ?? [], ...items]],
  addFor: (list: unknown[] | undefined, item: unknown, expire: number | string | null) => commit([item, [...list ?? [], item]], { expire }),
  peek: (list: unknown[] | undefined) => ignore(list),
})

/** Results that are not what a write command returns, by name. */
const NO_PAIRS: Record<string, () => unknown> = {
  nothing: () => undefined, null: () => null, value: () => 5, single: () => [1], triple: () => [1, 2, 3], object: () => ({ 0: 1, 1: 2, length: 2 }),
  committed: () => commit(5), committedTwice: () => commit(commit([1, 2])),
}
export const noPairs = Object.keys(NO_PAIRS)

export const wrong = defineFunctions('wrong', import.meta.url, {
  pair: (_value: unknown, kind: string) => NO_PAIRS[kind]!() as unknown[],
  undefinedValue: (_value: unknown) => [1, undefined],
  committed: (_value: unknown) => commit([1, 2]),
  badExpiry: (_value: unknown) => commit([1, 2], { expire: 'soon' }),
  closure: (_value: unknown) => [1, () => 1],
  closureResult: (_value: unknown) => [() => 1, 1],
})

export const COMMANDS: NonNullable<CacheOptions['commands']> = {
  length: { type: 'read', execute: lists.length }, at: { type: 'read', execute: 'lists.at' }, peek: { type: 'read', execute: lists.peek },
  pop: { type: 'write', execute: lists.pop }, add: { type: 'write', execute: lists.add }, addFor: { type: 'write', execute: lists.addFor }, look: { type: 'write', execute: lists.peek },
  wrongPair: { type: 'write', execute: wrong.pair }, undefinedValue: { type: 'write', execute: wrong.undefinedValue }, committed: { type: 'read', execute: wrong.committed },
  badExpiry: { type: 'write', execute: wrong.badExpiry }, closure: { type: 'write', execute: wrong.closure }, closureResult: { type: 'write', execute: wrong.closureResult },
  fail: { type: 'read', execute: 'bad.fail' }, hang: { type: 'read', execute: 'bad.hang' }, later: { type: 'read', execute: 'bad.later' }, unknown: { type: 'read', execute: 'nobody.knows' },
}

export const errands = defineFunctions('errands', import.meta.url, {
  /** Adds up what stands under two keys. */
  sum: async (cache: Cache<unknown>, a: string, b: string) => Number(await cache.get(a)) + Number(await cache.get(b)),
  move: async (cache: Cache<unknown>, from: string, to: string) => {
    const value = await cache.take(from)
    return value !== undefined && await cache.put(to, value)
  },
})

/** What is thrown, by name: things that `String`, `instanceof` or an encoder may choke on. */
const THROWN: Record<string, () => unknown> = {
  error: () => new RangeError('too far', { cause: new Error('the cause') }),
  undefined: () => undefined,
  null: () => null,
  string: () => 'a string',
  symbol: () => Symbol('thrown'),
  bare: () => Object.create(null) as unknown,
  oddNames: () => Object.assign(new Error('x'), { name: Symbol('name'), message: () => 'function' }),
  proxy: () => new Proxy({}, { getPrototypeOf: () => { throw new Error('trap') }, get: () => { throw new Error('trap') } }),
  getters: () => Object.defineProperty(new Error('x'), 'message', { get: () => { throw new Error('getter') } }),
  frozen: () => Object.freeze(new Error('cold')),
}
export const thrownKinds = Object.keys(THROWN)

/** What a function throws that is told to throw a kind. */
export function thrownBy(kind: string): unknown {
  return THROWN[kind]!()
}

function hang(): never {
  for (;;);
}

/** A registered class whose functions hang: `toData` where it is asked to, `fromData` on threads that are not the application's. */
export class Slow {
  readonly hangs: boolean

  constructor(hangs: boolean) {
    this.hangs = hangs
  }
}
registerClass('test.Slow', Slow, {
  toData: ({ hangs }) => hangs ? hang() : 1,
  fromData: () => isMainThread ? new Slow(false) : hang(),
})

export const bad = defineFunctions('bad', import.meta.url, {
  fail: (_value: unknown, kind: string) => { throw THROWN[kind]!() },
  /** Says on the channel that it has begun, if it is given one. */
  hang: (_value: unknown, channel?: string): number => {
    if (channel !== undefined) new BroadcastChannel(channel).postMessage('begun')
    for (;;);
  },
  exit: (_value: unknown, code: number): number => process.exit(code),
  fill: (_value: unknown): number => { const all: unknown[] = []; for (;;) all.push(new Array(10_000).fill(0).map((_, index) => ({ index }))) },
  later: async (value: number | undefined) => (value ?? 0) + 1,
  thenable: (_value: unknown) => ({ then: () => undefined }),
  closure: (_value: unknown): unknown => () => 1,
  commitUndefined: (_value: unknown) => commit(undefined),
  commitBadly: (_value: unknown) => commit(1, { expire: 'soon' }),
  huge: (_value: unknown, bytes: number) => 'x'.repeat(bytes),
  /** What hangs is in the result, and runs when that is encoded. */
  hangLater: (_value: unknown, how: 'getter' | 'error' | 'class' | 'then') => {
    switch (how) {
      case 'getter': return Object.defineProperty({}, 'odd', { enumerable: true, get: hang })
      case 'then': return Object.defineProperty({}, 'then', { get: hang })
      case 'class': return new Slow(true)
      case 'error': throw Object.defineProperty(new Error('x'), 'message', { get: hang })
    }
  },
  /** A value that hangs when it is decoded on a thread of a shard. */
  store: (_value: unknown) => new Slow(false),
  /** Has one value for each look. */
  shifting: (_value: unknown) => {
    let looks = 0
    return Object.defineProperty({}, 'looks', { enumerable: true, get: () => ++looks })
  },
  sleep: (_value: unknown, ms: number) => { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms); return ms },
})
