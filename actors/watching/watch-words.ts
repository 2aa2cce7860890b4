/**
 * Who watches what in a cache, in shared memory: callers and shards look here, and send a notice only where somebody wants it.
 *
 * What is watched has a number (`watched-actions.ts`), and is one bit of a set of two words:
 *
 *   0–1  before       somebody is told before the call                   the hooks' actor: Atomics.store    everyone, plain
 *   2–3  before, synchronous: the caller waits for them                  likewise
 *   4–5  after        somebody is told of the result                     likewise
 *   6–7  after, synchronous                                              likewise
 *   8    notices that found no room in the lane of the hooks             whoever sends, Atomics.add         everyone, Atomics.load
 *
 * A plain look may be a little old. Who has to be sure waits until the hooks' actor has answered, as `events()` does.
 */
export const WATCH_BYTES = 64

/** Where the sets begin. */
export const BEFORE = 0
export const BEFORE_SYNC = 2
export const AFTER = 4
export const AFTER_SYNC = 6
const DROPPED = 8

/** Whether something is in a set. */
export function isWatched(words: Int32Array, set: number, number: number): boolean {
  return (words[set + (number >>> 5)]! & (1 << (number & 31))) !== 0
}

/** A notice found no room. */
export function countDropped(words: Int32Array): void {
  Atomics.add(words, DROPPED, 1)
}

/** How many notices found no room. */
export function droppedNotices(words: Int32Array): number {
  return Atomics.load(words, DROPPED) >>> 0
}
