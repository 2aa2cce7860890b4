/** Functions for tests, as an application would have them: good ones, and those that do everything wrong. */
import { commit, defineFunctions, ignore, registerClass } from 'scatterhoard'
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
  hang: (_value: unknown): number => { for (;;); },
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
