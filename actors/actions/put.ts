/** By key: stores an entry, on a condition if one is given. */
import { readExpire, type Expire } from '../calls/expiry.js'
import { invalidArgument } from '../../runtime/errors.js'
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import type { Key } from '../../runtime/codec/key.js'

export interface PutOptions extends CallOptions {
  /** Time to live. `null`: none, whatever the default. Not positive: the entry is removed. Default: the cache's. */
  expire?: Expire | undefined
  /** Store only if the key is missing, or only if it is there. */
  if?: 'absent' | 'present' | undefined
}

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Stores a value, over the old one and its expiry. Resolves when it is in the memory of the key's owner: with `true`,
     * or with whether it was stored if `if` is given.
     *
     * Errors: `ERR_TOO_LARGE`; `ERR_FULL` with the policy `none`. Nothing has changed then.
     *
     * @example
     * const eve = { name: 'Eve', age: 30, visits: 0 }
     * await users.put('eve', eve, { expire: '5m' })      // → true
     * await users.put('eve', eve, { if: 'absent' })      // → false
     */
    put(key: Key, value: V, options?: PutOptions): Promise<boolean>
  }
}

const CONDITIONS: readonly unknown[] = ['absent', 'present']

/** The second section is the value; the rest, if there is any: `[expire, if]`. */
export const put: Action = {
  name: 'put', writes: true, keyed: true, arity: 2, options: ['expire', 'if'],
  call(caller, key: unknown, value: unknown, options?: PutOptions) {
    if (options === undefined) {
      caller.key(key)
      caller.value(value)
      return caller.send(put, undefined)
    }
    checkCallOptions(put, options)
    const { expire, if: condition } = options
    if (condition !== undefined && !CONDITIONS.includes(condition)) throw invalidArgument('the option if of put is \'absent\' or \'present\'')
    const expireMs = expire === undefined ? undefined : readExpire(expire, 'expire')
    caller.key(key)
    caller.value(value)
    if (expireMs !== undefined || condition !== undefined) caller.rest([expireMs, condition])
    return caller.send(put, options)
  },
  apply(shard, request) {
    const [expire, condition] = shard.rest(request) as [number | null | undefined, string?] | undefined ?? []
    if (condition !== undefined && (shard.live(request) !== 0) !== (condition === 'present')) return false
    shard.putRequest(request, expire === undefined ? shard.config.defaultExpireMs : expire)
    return true
  },
}
