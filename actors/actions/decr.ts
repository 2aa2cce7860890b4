/** By key: an increment with the sign turned, by the same code as `incr`. */
import type { Action } from '../action.js'
import { addTo, sendSum, type IncrOptions } from './incr.js'
import type { Key } from '../../runtime/codec/key.js'

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Takes from the number of a key and resolves with the difference; otherwise as `incr`.
     *
     * @example
     * await users.incr('stock:tea', 10)
     * await users.decr('stock:tea', 3)    // → 7
     */
    decr<N extends number | bigint = number>(key: Key, by?: N, options?: IncrOptions<N>): Promise<N extends bigint ? bigint : number>
  }
  interface SpecialReplies<V, M extends readonly unknown[]> {
    decr: M extends readonly ['decr', unknown, bigint, ...unknown[]] ? bigint : number
  }
}

export const decr: Action = {
  name: 'decr', writes: true, keyed: true, arity: 2, defaults: [undefined, 1], options: ['default'],
  call: (caller, key: unknown, by?: number | bigint, options?: IncrOptions<number | bigint>) => sendSum(decr, caller, key, by, options, -1),
  apply: (shard, request) => addTo(shard, request),
}
