/** By key: runs a function by its name inside the shard, between any two other writes; a registered one on its thread, with the key locked. */
import { Commit, Ignore } from '../functions/commit.js'
import { readExpire } from '../calls/expiry.js'
import { functionName, type FunctionReference } from '../../runtime/functions.js'
import { readDuration, type Duration } from '../../runtime/duration.js'
import { CacheError, invalidArgument } from '../../runtime/errors.js'
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import { isRegistered, updateLocked } from '../functions/locked-update.js'
import type { RegisteredFunction } from '../functions/registered-functions.js'
import type { ENCODED, Shard } from '../shards/shard.js'
import type { Key } from '../../runtime/codec/key.js'

/** Options of a call that runs a function: `args` is required exactly when the function has further parameters. */
export type FunctionOptions<A extends unknown[]> = CallOptions & {
  /** How long the function may run. Default: the cache's `functionTimeout`. */
  functionTimeout?: Duration | undefined
} & ([] extends A ? {
  /** The function's further arguments. */
  args?: A
} : { args: A })

/** What a function that updates a value of type `V` may return. */
export type Updated<V> = V | Commit<V> | Ignore<unknown> | undefined

/**
 * A function that returns `R` where one of a module runs inside a shard: if `R` is a promise, only one that a thread has registered is of this type.
 * A module's function is a compile error then.
 */
export type Synchronous<R> = Extract<R, PromiseLike<unknown>> extends never ? unknown : Pick<RegisteredFunction, 'unregister'>

/** What the caller gets of it. */
export type ResultOf<R> = R extends Commit<infer T> | Ignore<infer T> ? T : R

export type UpdateArguments<V, A extends unknown[]> = [] extends A
  ? [options?: FunctionOptions<A> & {
    /** What the function gets for a missing key. Default `undefined`. */
    default?: V
  }]
  : [options: FunctionOptions<A> & { default?: V }]

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Runs a synchronous function of a module inside the shard, on `(value | default | undefined, ...args)`, and stores what
     * it returns; nothing comes between. A function that a thread has registered runs there, with the key locked around it, and may be asynchronous. `commit(value, { expire })` stores with an expiry; `ignore(value)`, and `undefined`, store
     * nothing. The entry keeps its expiry and modified time; a new one gets the cache's expiry. Resolves with the new value.
     *
     * Errors: `ERR_UNKNOWN_FUNCTION`, `ERR_FUNCTION_NOT_REGISTERED` for a closure, `ERR_FUNCTION_FAILED` with its error as `cause`,
     * `ERR_ASYNC_FUNCTION`, `ERR_FUNCTION_TIMEOUT`. Nothing is stored then.
     *
     * @example
     * // visit: (user: User | undefined, by: number) => user === undefined ? ignore(undefined) : { ...user, visits: user.visits + by }
     * await users.getAndUpdate('ada', people.visit, { args: [1] })    // → { name: 'Ada', age: 36, visits: 2 }
     * await users.getAndUpdate('eve', people.visit, { args: [1] })    // → undefined
     */
    getAndUpdate<A extends unknown[], R extends Updated<V> | Promise<Updated<V>>>(
      key: Key, reference: FunctionReference<(value: V | undefined, ...args: A) => R> & Synchronous<R>, ...options: UpdateArguments<V, A>
    ): Promise<ResultOf<Awaited<R>>>
    getAndUpdate(key: Key, name: string, options?: CallOptions & { functionTimeout?: Duration; args?: unknown[]; default?: V }): Promise<unknown>
  }
  interface SpecialMessages<V> {
    getAndUpdate: readonly ['getAndUpdate', Key, FunctionReference | string, (CallOptions & { functionTimeout?: Duration; args?: readonly unknown[]; default?: V })?]
  }
  interface SpecialReplies<V, M extends readonly unknown[]> {
    getAndUpdate: M extends readonly ['getAndUpdate', unknown, FunctionReference<infer F>, ...unknown[]] ? ResultOf<Awaited<ReturnType<F>>> : unknown
  }
}

interface UpdateCall extends CallOptions {
  functionTimeout?: Duration
  args?: unknown[]
  default?: unknown
}

/** The rest is `[name, args, default, functionTimeoutMs]`. */
export const getAndUpdate: Action = {
  name: 'getAndUpdate', writes: true, keyed: true, arity: 2, options: ['args', 'default', 'functionTimeout'],
  call(caller, key: unknown, reference: unknown, options?: UpdateCall) {
    checkCallOptions(getAndUpdate, options)
    const { args = [], default: initial, functionTimeout } = options ?? {}
    const timeoutMs = readTimeLimit(functionTimeout)
    if (!Array.isArray(args)) throw invalidArgument('the option args is an array of the function\'s further arguments')
    const name = functionName(reference)
    caller.key(key)
    if (isRegistered(caller, name)) {
      const { telling } = caller
      caller.telling = false
      const updated = updateLocked(caller, { key, name, args, initial, limitMs: timeoutMs }, options)
      caller.telling = telling
      if (!telling) return updated
      updated.catch(() => undefined)
      return true
    }
    caller.rest([name, args, initial, timeoutMs])
    return caller.send(getAndUpdate, options)
  },
  apply(shard, request) {
    const [name, args, initial, timeoutMs] = shard.limited(undefined, () => shard.rest(request)) as [string, unknown[], unknown, number | undefined]
    const block = shard.live(request)
    const before = block === 0 ? initial : shard.valueOf(block)
    const outcome = shard.limited(timeoutMs, () => outcomeOf(shard, name, shard.call(name, [before, ...args])))
    if (outcome === undefined) return undefined
    const { value, stores, expire } = outcome
    if (!stores) return value
    shard.storeOutcome(request, block, value, expire)
    return value
  },
  functionAt: 1,
}

interface Outcome {
  value: typeof ENCODED
  stores: boolean
  expire?: number | null | undefined
}

/** What is to become of a function's result. `undefined`: nothing, and nothing is returned. */
function outcomeOf(shard: Shard, name: string, result: unknown): Outcome | undefined {
  if (result === undefined) return undefined
  if (result instanceof Ignore) return result.value === undefined ? undefined : { value: shard.encode(result.value), stores: false }
  const value: unknown = result instanceof Commit ? result.value : result
  if (value === undefined) throw new CacheError('ERR_UNSUPPORTED_VALUE', `the function '${name}' committed undefined, which cannot be stored; use ignore(undefined)`)
  const expire = result instanceof Commit && result.options.expire !== undefined ? readExpire(result.options.expire, 'expire of commit') : undefined
  return { value: shard.encode(value), stores: true, expire }
}

/** The time limit of one function call in milliseconds, `undefined` for the default. */
export function readTimeLimit(value: unknown): number | undefined {
  if (value === undefined) return undefined
  const ms = readDuration(value)
  if (ms > 0) return ms
  throw invalidArgument('functionTimeout is a number of milliseconds above 0, or a string such as \'2s\'')
}
