/** By key: adds to a number where it lies. `decr` goes the same way. */
import { CacheError, invalidArgument } from '../../runtime/errors.js'
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import type { Caller } from '../calls/caller.js'
import type { Shard } from '../shards/shard.js'
import type { Key } from '../../runtime/codec/key.js'
import type { Request } from '../../runtime/mailbox/inlet.js'

export interface IncrOptions<N extends number | bigint> extends CallOptions {
  /** What a missing key counts from. Default 0. */
  default?: N | undefined
}

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Adds to the number of a key and resolves with the sum. A missing key counts from the default and gets the cache's
     * expiry; one that is there keeps its expiry and modified time.
     *
     * Errors: `ERR_NON_NUMERIC_VALUE` if the value is not a number, or a BigInt where `by` is a number or the reverse.
     *
     * @example
     * await users.incr('logins')                           // → 1
     * await users.incr('logins', 4)                        // → 5
     * await users.incr('tickets', 1, { default: 1000 })    // → 1001
     */
    incr<N extends number | bigint = number>(key: Key, by?: N, options?: IncrOptions<N>): Promise<N extends bigint ? bigint : number>
  }
  interface SpecialReplies<V, M extends readonly unknown[]> {
    incr: M extends readonly ['incr', unknown, bigint, ...unknown[]] ? bigint : number
  }
}

export const incr: Action = {
  name: 'incr', writes: true, keyed: true, arity: 2, defaults: [undefined, 1], options: ['default'],
  call: (caller, key: unknown, by?: number | bigint, options?: IncrOptions<number | bigint>) => sendSum(incr, caller, key, by, options, 1),
  apply: (shard, request) => addTo(shard, request),
}

/** Sends `[by, default]`; nothing where both are the usual. `sign` is −1 for `decr`. */
export function sendSum(
  action: Action, caller: Caller, key: unknown, by: number | bigint | undefined, options: IncrOptions<number | bigint> | undefined, sign: 1 | -1,
): unknown {
  checkNumber(by, 'by')
  checkCallOptions(action, options)
  const initial = options?.default
  checkNumber(initial, 'default')
  caller.key(key)
  const signed = by === undefined || sign === 1 ? by : -by
  if (signed !== undefined || initial !== undefined || sign === -1) caller.rest([signed, initial, sign])
  return caller.send(action, options)
}

function checkNumber(value: unknown, name: string): void {
  if (value === undefined || typeof value === 'bigint' || (typeof value === 'number' && !Number.isNaN(value))) return
  throw invalidArgument(`${name} is a number or a BigInt`)
}

/** The shard's part of `incr` and `decr`. */
export function addTo(shard: Shard, request: Request): number | bigint {
  const [by, initial, sign = 1] = shard.rest(request) as [(number | bigint)?, (number | bigint)?, number?] | undefined ?? []
  const block = shard.live(request)
  const value = block === 0 ? initial ?? (typeof by === 'bigint' ? 0n : 0) : shard.valueOf(block)
  // Without `by` one of the value's own kind is added.
  const amount = by ?? (typeof value === 'bigint' ? BigInt(sign) : sign)
  if (typeof value !== typeof amount || (typeof value !== 'number' && typeof value !== 'bigint')) {
    throw new CacheError('ERR_NON_NUMERIC_VALUE', `cannot add a ${typeof amount} to a ${value === null ? 'null' : typeof value}: store a number or a BigInt and add one of the same kind`)
  }
  const total = (value as number) + (amount as number)
  if (block === 0) shard.storeNew(request, total)
  else shard.replaceValue(request, block, total)
  return total
}
