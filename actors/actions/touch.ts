/** By key: changes the modified time in place. */
import type { Action, CallOptions } from '../action.js'
import type { Key } from '../../runtime/codec/key.js'

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Sets an entry's modified time to now; its expiry stays where it was. Resolves with whether it was there.
     *
     * @example
     * await users.touch('ada')    // → true
     */
    touch(key: Key, options?: CallOptions): Promise<boolean>
  }
}

export const touch: Action = {
  name: 'touch', writes: true, keyed: true, arity: 1, options: [],
  call(caller, key: unknown, options?: CallOptions) {
    caller.key(key)
    return caller.send(touch, options)
  },
  apply(shard, request) {
    const block = shard.live(request)
    if (block === 0) return false
    const { writer } = shard
    writer.setTimes(block, shard.writeTime(), writer.expiresAt(block), writer.duration(block))
    return true
  },
}
