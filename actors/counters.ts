/**
 * What a cache counts, in shared memory: calls by action, hits, misses, what was written and what was removed. Whoever does a thing
 * counts it: the caller its calls and its reads of shared memory, the shard what it carried out. No message is sent for it.
 *
 *   word 0, 1    since when, in ms since 1970: low and high word    the first shard that starts, plain    everyone, plain
 *   word 64…     16 sets of 128 counters of two words, low and high      Atomics.add                           everyone, Atomics.load
 *
 * A thread counts in the set of its client's number modulo the number of sets, so that few threads share a cache line. Whoever lets the low
 * word of a counter overflow adds one to the high one: a look between these two steps, one in four thousand million, is too low.
 */
import { codeOf } from './action-codes.js'
import type { Action } from './action.js'

/** The counters that are not those of one action. */
export const COUNTER = { hits: 0, misses: 1, writes: 2, removals: 3, evictions: 4, expirations: 5, getSync: 6, existsSync: 7, stream: 8 } as const

/** From here on, the calls of each action by its number. */
const CALLS = 16
const SET_COUNTERS = 128
const SETS = 16
const HEADER_WORDS = 64

export const COUNTERS_BYTES = (HEADER_WORDS + SETS * SET_COUNTERS * 2) * 4

/** The counter of the calls of an action. */
export function callsOf(action: Action): number {
  return CALLS + codeOf(action)
}

/** One thread's counters. */
export class Counters {
  readonly #words: Int32Array
  readonly #base: number

  /** @param client the number of the thread's client */
  constructor(buffer: SharedArrayBuffer, client: number) {
    this.#words = new Int32Array(buffer)
    this.#base = HEADER_WORDS + (client % SETS) * SET_COUNTERS * 2
  }

  /** Adds to a counter: at most 2^31 at a time. */
  add(counter: number, by = 1): void {
    const word = this.#base + counter * 2
    const before = Atomics.add(this.#words, word, by) >>> 0
    if (before + by >= 2 ** 32) Atomics.add(this.#words, word + 1, 1)
  }
}

/** Notes since when is counted, unless that is noted. `nowMs`: since 1970. */
export function beginCounting(buffer: SharedArrayBuffer, nowMs: number): void {
  const words = new Int32Array(buffer)
  if (words[0] !== 0 || words[1] !== 0) return
  words[1] = nowMs / 2 ** 32
  words[0] = nowMs
}

/** Reads the counters of all threads. */
export class CountersReader {
  readonly #words: Int32Array

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer)
  }

  /** Since when is counted, in ms since 1970. */
  get since(): number {
    return (this.#words[0]! >>> 0) + this.#words[1]! * 2 ** 32
  }

  total(counter: number): number {
    let total = 0
    for (let set = 0; set < SETS; set++) {
      const word = HEADER_WORDS + (set * SET_COUNTERS + counter) * 2
      total += (Atomics.load(this.#words, word) >>> 0) + Atomics.load(this.#words, word + 1) * 2 ** 32
    }
    return total
  }
}
