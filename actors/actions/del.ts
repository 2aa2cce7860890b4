/** By key: removes the entry. */
import type { Action, CallOptions } from '../action.js'
import type { Key } from '../../runtime/codec/key.js'

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Removes a key. Resolves with whether it was there.
     *
     * @example
     * await users.del('ada')    // → true
     * await users.del('ada')    // → false
     */
    del(key: Key, options?: CallOptions): Promise<boolean>
  }
}

export const del: Action = {
  name: 'del', writes: true, keyed: true, arity: 1, options: [],
  call(caller, key: unknown, options?: CallOptions) {
    caller.key(key)
    return caller.send(del, options)
  },
  apply(shard, request) {
    const block = shard.find(request)
    if (block === 0) return false
    const wasThere = !shard.isExpired(block)
    if (wasThere) shard.remove(block)
    else shard.writer.remove(block)
    return wasThere
  },
}
