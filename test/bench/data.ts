/**
 * What every contestant reads and writes: 100,000 keys, values of 100 bytes or objects of six fields, and one random walk
 * over the keys, computed beforehand so that no contestant pays for choosing a key. The walk is the same in every thread.
 */

export const KEYS = 100_000

/** A power of two, so that a position wraps by a mask. */
export const WALK_STEPS = 131_072
export const WALK_MASK = WALK_STEPS - 1

export const VALUE_BYTES = 100

export interface Person {
  readonly id: number
  readonly name: string
  readonly email: string
  readonly age: number
  readonly active: boolean
  readonly score: number
}

export const keys: readonly string[] = Array.from({ length: KEYS }, (_, i) => `user:${i}`)

/** A text of exactly `VALUE_BYTES` characters that differs from `n` to `n`. */
export function text(n: number): string {
  return `${String(n).padStart(10, '0')}:`.padEnd(VALUE_BYTES, 'abcdefghijklmnopqrstuvwxyz')
}

/** Its name has `NAME_LENGTH` characters, which is what reading it is checked by. */
export const NAME_LENGTH = 12

export function person(n: number): Person {
  return { id: n, name: `Ada ${String(n).padStart(8, '0')}`, email: `ada.${n}@example.com`, age: 18 + (n % 70), active: n % 3 !== 0, score: n / 7 }
}

/** A generator of 32-bit integers that every run repeats: xorshift32 (Marsaglia, 2003). */
export function xorshift(seed: number): () => number {
  let x = seed | 0 || 1
  return () => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return x >>> 0
  }
}

const next = xorshift(20261122)

/** Numbers of keys in random order. */
export const walk: Uint32Array = Uint32Array.from({ length: WALK_STEPS }, () => next() % KEYS)

/** The keys themselves in the walk's order. */
export const walkKeys: readonly string[] = Array.from(walk, (n) => keys[n]!)

/** Values to write, one for each key. */
export const texts: readonly string[] = Array.from({ length: KEYS }, (_, i) => text(i))
export const people: readonly Person[] = Array.from({ length: KEYS }, (_, i) => person(i))
