/**
 * What hooks and subscribers can watch: the actions, and what the cache does by itself. Each has a number below 64, so that a set of
 * them is two words.
 */
import { codeOf, publicActions } from '../action-codes.js'
import type { CacheActions } from '../action.js'
import { invalidOption } from '../../runtime/option-checks.js'

/** The names of what can be watched. What the janitor does is `purge` too. */
export type WatchedName = keyof CacheActions<unknown> | 'expired' | 'evict'

/** An entry's time had come, and it was removed when somebody met it. */
export const EXPIRED = 62
/** The cache removed entries for room, or for its limit. */
export const EVICT = 63

/** A set of what is watched, as two words. */
export type WatchedSet = readonly [low: number, high: number]

export const NOTHING_WATCHED: WatchedSet = [0, 0]

/** The number of a name, `undefined` if there is no such thing to watch. */
export function numberOf(name: string): number | undefined {
  if (name === 'expired') return EXPIRED
  if (name === 'evict') return EVICT
  const action = publicActions().find((one) => one.name === name)
  return action === undefined ? undefined : codeOf(action)
}

export function isIn([low, high]: WatchedSet, number: number): boolean {
  return ((number < 32 ? low : high) & (1 << (number & 31))) !== 0
}

export function union([low, high]: WatchedSet, other: WatchedSet): WatchedSet {
  return [low | other[0], high | other[1]]
}

/** The set of `'all'`, or of names. */
export function setOf(names: readonly string[] | 'all'): WatchedSet {
  if (names === 'all') return [-1, -1]
  let low = 0
  let high = 0
  for (const name of names) {
    const number = numberOf(name)!
    if (number < 32) low |= 1 << number
    else high |= 1 << (number & 31)
  }
  return [low, high]
}

/** Checks the option that says what to watch. `refuse` makes the error; default: that of an option at start. */
export function readWatched(value: unknown, option: string, refuse: (option: string, value: unknown, allowed: string) => Error = invalidOption): readonly string[] | 'all' {
  if (value === 'all') return value
  const names = [...publicActions().map(({ name }) => name), 'expired', 'evict']
  const allowed = `'all', or an array of ${names.join(', ')}`
  if (!Array.isArray(value)) throw refuse(option, value, allowed)
  for (const [index, name] of (value as unknown[]).entries()) if (!names.includes(name as string)) throw refuse(`${option}.${index}`, name, names.join(', '))
  return [...new Set(value as string[])]
}
