/** By key: looks into shared memory, and asks the shard only behind a write of this handle or beside a busy writer. */
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import type { Key } from '../../runtime/codec/key.js'

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Whether there is an entry of the key.
     *
     * @example
     * await users.exists('ada')    // → true
     */
    exists(key: Key, options?: CallOptions): Promise<boolean>
  }
}

export const exists: Action = {
  name: 'exists', writes: false, keyed: true, arity: 1, options: [],
  call(caller, key: unknown, options?: CallOptions) {
    checkCallOptions(exists, options)
    caller.key(key)
    if (!caller.hasUnansweredWrite) {
      const found = caller.locate()
      if (found >= 0) {
        caller.countLookup(found === 1)
        return Promise.resolve(found === 1)
      }
    }
    return caller.send(exists, options)
  },
  apply(shard, request) {
    const found = shard.readable(request) !== 0
    shard.countLookup(found)
    return found
  },
}
