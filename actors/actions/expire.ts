/** By key: changes the expiry in place. */
import { readExpire, type Expire } from '../calls/expiry.js'
import type { Action, CallOptions } from '../action.js'
import type { Key } from '../../runtime/codec/key.js'

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Gives an entry a time to live from now; `null` for none. Not positive: it is removed at once. Its modified time is
     * now. Resolves with whether it was there.
     *
     * @example
     * await users.expire('ada', '5m')    // → true
     * await users.expire('eve', '5m')    // → false
     */
    expire(key: Key, ttl: Expire, options?: CallOptions): Promise<boolean>
  }
}

/** The rest is the time to live. */
export const expire: Action = {
  name: 'expire', writes: true, keyed: true, arity: 2, options: [],
  call(caller, key: unknown, ttl: unknown, options?: CallOptions) {
    const expireMs = readExpire(ttl, 'the time to live of expire')
    caller.key(key)
    caller.rest(expireMs)
    return caller.send(expire, options)
  },
  apply(shard, request) {
    return shard.changeExpiry(request, shard.rest(request) as number | null)
  },
}
