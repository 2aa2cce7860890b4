/** Keys and values of every kind, those that are refused, and those that are equal: for tests of caches. */
import type { Key } from 'scatterhoard'
import { Point } from './point.js'

const holes: unknown[] = [1, 2]
holes[4] = undefined
const cycle: { self?: unknown; list: unknown[] } = { list: [] }
cycle.self = cycle
cycle.list.push(cycle, cycle.list)
const withProto = JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1}') as unknown

/** By kind. */
export const VALUES: [string, unknown][] = [
  ['null', null], ['booleans', [true, false]], ['numbers', [0, -0, NaN, Infinity, -Infinity, 2 ** 53, -(2 ** 31), 5e-324, 1.5]],
  ['BigInts', [0n, -1n, 2n ** 64n, -(2n ** 1000n)]], ['strings', ['', '\0', '\ud800', 'a\udc00b', 'é', 'e\u0301', '\u{1f426}', 'x'.repeat(100_000), 'ü'.repeat(100_000), '鳥'.repeat(100_000)]],
  ['dates', [new Date(0), new Date(8.64e15), new Date(-8.64e15)]], ['regular expressions', [/a/giu, /[/]\n/]],
  ['maps', new Map<unknown, unknown>([[1, 'a'], [{ k: 1 }, new Map([[null, undefined]])]])], ['sets', new Set([1, '1', new Set([2])])],
  ['holes', holes], ['undefined properties', { a: undefined, b: [undefined] }], ['own __proto__ and constructor', withProto],
  ['typed arrays', [new Uint8Array([1, 2]), new Int16Array([-1]), new Float32Array([1.5]), new Float64Array([NaN, -0]), new BigInt64Array([-1n]), new Uint8ClampedArray([255]), new DataView(new ArrayBuffer(3))]],
  ['ArrayBuffers', [new ArrayBuffer(0), new Uint8Array([1, 2, 3]).buffer]], ['Buffers', Buffer.from('bytes')],
  ['cycles', cycle], ['sparse keys', { '': 1, ' ': 2, '0': 3, '-0': 4 }], ['no prototype', Object.assign(Object.create(null) as object, { a: 1 })],
]

/** Whatever is refused, with the path that the message has to name. */
export const REFUSED: [string, () => unknown, string | RegExp][] = [
  ['a function', () => ({ a: [0, () => 1] }), '.a[1]'],
  ['a symbol', () => new Map([['k', Symbol('s')]]), /values\(\)|get|k/],
  ['a promise', () => [Promise.resolve(1)], '[0]'],
  ['an instance of an unregistered class', () => ({ deep: { er: new (class Strange {})() } }), '.deep.er'],
  ['a WeakMap', () => ({ w: new WeakMap() }), '.w'],
  ['a getter that throws', () => ({ a: { get b(): never { throw new Error('getter') } } }), '.a.b'],
  ['detached memory', () => { const m = new Uint8Array(8); structuredClone(m, { transfer: [m.buffer] }); return { m } }, '.m'],
  ['20,000 levels', () => { let deep: unknown = 1; for (let level = 0; level < 20_000; level++) deep = [deep]; return deep }, /deep|nested/],
  ['undefined', () => undefined, 'undefined'],
  ['a proxy whose traps throw', () => new Proxy({}, { ownKeys: () => { throw new Error('trap') } }), ''],
]

/** No two of them are equal. */
export const KEYS: Key[] = [
  null, true, false, 0, 1, -1, 1.5, NaN, Infinity, -Infinity, 2 ** 53, '', '0', '1', 'null', '\0', '\ud800', '\udc00', 'é', 'e\u0301', '__proto__', 'constructor', 0n, 1n, -(2n ** 70n),
  new Date(0), new Date(1), new Uint8Array([]), new Uint8Array([49]), [], [1], ['1'], [[1]], [null], {}, { a: 1 }, { a: '1' }, { a: 1, b: 2 }, [{ a: 1 }], JSON.parse('{"__proto__":1}') as Key, 'k'.repeat(5000),
]
export const EQUAL_KEYS: [Key, Key][] = [[0, -0], [NaN, -NaN], [Buffer.from([1, 2]), new Uint8Array([1, 2])], [{ a: 1, b: 2 }, { b: 2, a: 1 }], [[{ x: 0 }], [{ x: -0 }]], [new Date(5), new Date(5)]]
export const NO_KEYS: unknown[] = [undefined, Symbol('s'), () => 1, [undefined], { a: undefined }, new Map(), new Set(), /x/, Promise.resolve(), new Point(1, 2), [Symbol('s')], cycle, new Float64Array(1)]
