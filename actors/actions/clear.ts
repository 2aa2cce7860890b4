/** To all shards of all nodes: each removes its entries; the counts are added up. */
import type { Action, CallOptions } from '../action.js'
import { COUNTER } from '../counters.js'

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Removes all entries. Resolves with how many there were.
     *
     * @example
     * await users.clear()      // → 2
     * await users.isEmpty()    // → true
     */
    clear(options?: CallOptions): Promise<number>
  }
}

export const clear: Action = {
  name: 'clear', writes: true, arity: 0, options: [],
  call(caller, options?: CallOptions) {
    caller.noKey()
    return caller.sendAll(clear, options, sum)
  },
  merge: sum,
  apply(shard) {
    const count = shard.writer.clear()
    shard.counters?.add(COUNTER.removals, count)
    return count
  },
}

/** Merges the counts of shards, or of nodes. */
export function sum(counts: readonly unknown[]): number {
  return (counts as number[]).reduce((total, count) => total + count, 0)
}
