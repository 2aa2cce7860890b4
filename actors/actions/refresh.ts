/** By key: starts the last time to live again. */
import type { Action, CallOptions } from '../action.js'
import type { Key } from '../../runtime/codec/key.js'

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Lets the time to live that an entry was last given start again from now; one without has none afterwards too. Its
     * modified time is now. Resolves with whether it was there.
     *
     * @example
     * await users.expire('ada', '5m')
     * // Later: five minutes more from now.
     * await users.refresh('ada')    // → true
     */
    refresh(key: Key, options?: CallOptions): Promise<boolean>
  }
}

export const refresh: Action = {
  name: 'refresh', writes: true, keyed: true, arity: 1, options: [],
  call(caller, key: unknown, options?: CallOptions) {
    caller.key(key)
    return caller.send(refresh, options)
  },
  apply(shard, request) {
    const block = shard.live(request)
    if (block === 0) return false
    return shard.changeExpiry(request, shard.writer.duration(block) || null)
  },
}
