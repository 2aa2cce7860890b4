/** By key: stores a value over one that is there, and keeps its times. */
import type { Action, CallOptions } from '../action.js'
import type { Key } from '../../runtime/codec/key.js'

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Stores a value under a key that is there; its expiry and modified time stay. Resolves with whether it was there.
     *
     * @example
     * await users.update('bob', { name: 'Bob', age: 17, visits: 0 })    // → true
     * await users.update('eve', { name: 'Eve', age: 30, visits: 0 })    // → false
     */
    update(key: Key, value: V, options?: CallOptions): Promise<boolean>
  }
}

export const update: Action = {
  name: 'update', writes: true, keyed: true, arity: 2, options: [],
  call(caller, key: unknown, value: unknown, options?: CallOptions) {
    caller.key(key)
    caller.value(value)
    return caller.send(update, options)
  },
  apply(shard, request) {
    const block = shard.live(request)
    if (block === 0) return false
    shard.updateRequest(request, block)
    return true
  },
}
