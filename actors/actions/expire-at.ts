/** By key: `expire` with a time of the wall clock. */
import { invalidArgument } from '../../runtime/errors.js'
import type { Action, CallOptions } from '../action.js'
import type { Key } from '../../runtime/codec/key.js'
import { routed } from '../cluster/routed-call.js'
import { expire } from './expire.js'

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Lets an entry expire at a time of the wall clock: a `Date`, or milliseconds since 1970. A time in the past removes it
     * at once. The time is converted here, once: a later jump of the wall clock changes nothing. Resolves with whether it was there.
     *
     * @example
     * await users.expireAt('ada', new Date(Date.now() + 60_000))    // → true
     * await users.expireAt('ada', 0)                                // → true
     * await users.exists('ada')                                     // → false
     */
    expireAt(key: Key, time: number | Date, options?: CallOptions): Promise<boolean>
  }
}

export const expireAt: Action = {
  name: 'expireAt', writes: true, keyed: true, arity: 2, options: [],
  call(caller, key: unknown, time: unknown, options?: CallOptions) {
    return expire.call(caller, key as never, timeLeft(time) as never, options as never)
  },
  // Wall clocks of other nodes may be others.
  spread: ({ caller, cluster, args: [key, time], options, hops }) => routed(caller, cluster, expire, [key, timeLeft(time), options], hops),
}

/** The time until then in milliseconds. */
function timeLeft(time: unknown): number {
  const at = time instanceof Date ? time.getTime() : time
  if (typeof at !== 'number' || Number.isNaN(at)) throw invalidArgument('expireAt needs a valid Date, or milliseconds since 1970')
  return at - Date.now()
}
