/** By key: `expire` with none. */
import type { Action, CallOptions } from '../action.js'
import type { Key } from '../../runtime/codec/key.js'
import { expire } from './expire.js'

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Takes an entry's expiry away. Its modified time is now. Resolves with whether it was there.
     *
     * @example
     * await users.persist('bob')    // → true
     * await users.ttl('bob')        // → null
     */
    persist(key: Key, options?: CallOptions): Promise<boolean>
  }
}

export const persist: Action = {
  name: 'persist', writes: true, keyed: true, arity: 1, options: [],
  call: (caller, key: unknown, options?: CallOptions) => expire.call(caller, key as never, null as never, options as never),
}
