/** To all shards: each removes what has expired; the counts are added up. */
import type { Action, CallOptions } from '../action.js'
import { sum } from './clear.js'

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Removes all expired entries now. Resolves with how many there were.
     *
     * @example
     * await users.purge()    // → 0
     */
    purge(options?: CallOptions): Promise<number>
  }
}

export const purge: Action = {
  name: 'purge', writes: true, arity: 0, options: [],
  call(caller, options?: CallOptions) {
    caller.noKey()
    return caller.sendAll(purge, options, sum)
  },
  apply: (shard) => shard.purge(),
}
