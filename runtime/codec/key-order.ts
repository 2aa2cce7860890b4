/**
 * The order of keys, for caches that list their keys in order. Canonical bytes are not in this order: it works on keys themselves.
 */
import { types } from 'node:util'
import { CacheError } from '../errors.js'
import { kindOf } from './refusal.js'

/**
 * Orders keys: null, booleans, numbers, BigInts, dates, strings, bytes, arrays, objects; within a kind the natural order. `false` is
 * before `true`; NaN, and an invalid date, behind all others of its kind; strings go by UTF-16 units; bytes and arrays by their
 * first difference, then the shorter first; objects like arrays of their sorted names, each followed by its value.
 * 0 for equal keys and only for them. Throws `ERR_INVALID_KEY` on what is not a key.
 */
export function compareKeys(a: unknown, b: unknown): number {
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b)
  const rank = rankOf(a)
  const difference = rank - rankOf(b)
  if (difference !== 0) return difference < 0 ? -1 : 1
  switch (rank) {
    case 1: case 2: case 4: return compareNumbers(Number(a), Number(b))
    case 3: return (a as bigint) < (b as bigint) ? -1 : (a as bigint) > (b as bigint) ? 1 : 0
    case 6: return Buffer.compare(a as Uint8Array, b as Uint8Array)
    case 7: return compareArrays(a as unknown[], b as unknown[])
    case 8: return compareObjects(a as Record<string, unknown>, b as Record<string, unknown>)
    default: return 0
  }
}

function rankOf(key: unknown): number {
  switch (typeof key) {
    case 'boolean': return 1
    case 'number': return 2
    case 'bigint': return 3
    case 'string': return 5
    case 'object':
      return key === null ? 0 : types.isDate(key) ? 4 : types.isUint8Array(key) ? 6 : Array.isArray(key) ? 7 : 8
    default: throw new CacheError('ERR_INVALID_KEY', `not a key: ${kindOf(key)}`)
  }
}

function compareNumbers(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : a === b ? 0 : Number(a !== a) - Number(b !== b)
}

/** By UTF-16 units: the same everywhere, whatever the locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function compareArrays(a: unknown[], b: unknown[]): number {
  const shorter = Math.min(a.length, b.length)
  for (let index = 0; index < shorter; index++) {
    const order = compareKeys(a[index], b[index])
    if (order !== 0) return order
  }
  return compareNumbers(a.length, b.length)
}

function compareObjects(a: Record<string, unknown>, b: Record<string, unknown>): number {
  const namesOfA = Object.keys(a).sort(compareText)
  const namesOfB = Object.keys(b).sort(compareText)
  const shorter = Math.min(namesOfA.length, namesOfB.length)
  for (let index = 0; index < shorter; index++) {
    const order = compareText(namesOfA[index]!, namesOfB[index]!) || compareKeys(a[namesOfA[index]!], b[namesOfB[index]!])
    if (order !== 0) return order
  }
  return compareNumbers(namesOfA.length, namesOfB.length)
}
