/**
 * How a query compares: within a kind only. Two values of different kinds are neither equal nor in any order, and neither is
 * what has no order (objects, maps, `NaN`) before or behind anything.
 */
import { isDeepStrictEqual, types } from 'node:util'
import { compareText } from '../../runtime/codec/key-order.js'

/** Arrays nested deeper have no order: they may be circular. */
const MAX_DEPTH = 100

/** The kinds that have an order or an equality of their own; whatever else there is goes by its prototype. */
function kindOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value
  if (Array.isArray(value)) return 'array'
  if (types.isDate(value)) return 'date'
  if (types.isUint8Array(value)) return 'bytes'
  return Object.getPrototypeOf(value) ?? Object.prototype
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return kindOf(value) === Object.prototype
}

export function sameKind(a: unknown, b: unknown): boolean {
  return kindOf(a) === kindOf(b)
}

/**
 * Whether two values are equal in kind and content, as keys are: `0` and `-0` are equal, so are `NaN` and itself, a `Buffer` and a
 * `Uint8Array` of the same bytes, and objects whatever the order of their properties. Both may be circular.
 */
export function sameValue(a: unknown, b: unknown): boolean {
  return same(a, b, undefined)
}

/** Pairs of objects that are being compared, or were: what is met again in the same pair is not looked at twice. */
type Compared = Map<object, Set<object>>

function same(a: unknown, b: unknown, compared: Compared | undefined): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a !== a && b !== b
  const kind = kindOf(a)
  if (kind !== kindOf(b)) return false
  switch (kind) {
    case 'date': return same((a as Date).getTime(), (b as Date).getTime(), undefined)
    case 'bytes': return Buffer.compare(a as Uint8Array, b as Uint8Array) === 0
    case 'array': case Object.prototype: {
      const pairs = compared ?? new Map<object, Set<object>>()
      const others = pairs.get(a)
      if (others?.has(b) === true) return true
      if (others === undefined) pairs.set(a, new Set([b]))
      else others.add(b)
      return sameMembers(a as Record<string, unknown>, b as Record<string, unknown>, pairs)
    }
    default: return isDeepStrictEqual(a, b)
  }
}

/** Elements are members too: an array with a hole has one less. */
function sameMembers(a: Record<string, unknown>, b: Record<string, unknown>, compared: Compared): boolean {
  if (Array.isArray(a) && a.length !== (b as unknown as unknown[]).length) return false
  const names = Object.keys(a)
  if (names.length !== Object.keys(b).length) return false
  for (const name of names) if (!Object.hasOwn(b, name) || !same(a[name], b[name], compared)) return false
  return true
}

/**
 * Negative, 0 or positive: null, booleans (`false` first), numbers, BigInts, dates, strings (by UTF-16 units), bytes, and arrays, which
 * go by their first difference and then by length. `NaN` where there is no order.
 */
export function orderOf(a: unknown, b: unknown, depth = 0): number {
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b)
  const kind = kindOf(a)
  if (kind !== kindOf(b)) return NaN
  switch (kind) {
    case 'null': return 0
    case 'boolean': return Number(a) - Number(b)
    case 'number': return orderNumbers(a as number, b as number)
    case 'bigint': return (a as bigint) < (b as bigint) ? -1 : (a as bigint) > (b as bigint) ? 1 : 0
    case 'date': return orderNumbers((a as Date).getTime(), (b as Date).getTime())
    case 'bytes': return Buffer.compare(a as Uint8Array, b as Uint8Array)
    case 'array': return depth > MAX_DEPTH ? NaN : orderArrays(a as unknown[], b as unknown[], depth + 1)
    default: return NaN
  }
}

function orderNumbers(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : a === b || (a !== a && b !== b) ? 0 : NaN
}

function orderArrays(a: unknown[], b: unknown[], depth: number): number {
  const shorter = Math.min(a.length, b.length)
  for (let index = 0; index < shorter; index++) {
    const order = orderOf(a[index], b[index], depth)
    if (order !== 0) return order
  }
  return a.length - b.length
}
