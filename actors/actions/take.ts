/** By key: the shard copies the value into the reply and removes the entry. */
import type { Action, CallOptions } from '../action.js'
import type { Key } from '../../runtime/codec/key.js'

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * The value of a key, which is removed; `undefined` if it is missing.
     *
     * @example
     * await users.take('ada')      // → { name: 'Ada', age: 36, visits: 1 }
     * await users.exists('ada')    // → false
     */
    take(key: Key, options?: CallOptions): Promise<V | undefined>
  }
}

export const take: Action = {
  name: 'take', writes: true, keyed: true, arity: 1, options: [],
  call(caller, key: unknown, options?: CallOptions) {
    caller.key(key)
    return caller.send(take, options)
  },
  apply(shard, request) {
    const block = shard.live(request)
    shard.countLookup(block !== 0)
    if (block === 0) return undefined
    const reply = shard.replyValueOf(block)
    shard.remove(block)
    return reply
  },
}
