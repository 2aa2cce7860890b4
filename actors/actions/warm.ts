/** To the warmers of this node. */
import { DEFAULT_TIMEOUT_MS, readTimeout } from '../../runtime/actor.js'
import { monotonicMs } from '../../runtime/clock.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import { encodeValue } from '../../runtime/codec/value.js'
import { invalidArgument } from '../../runtime/errors.js'
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import { warmersAddress, type WarmOrder } from '../warmers/warmers.js'

export interface WarmOptions extends CallOptions {
  /** Names of the warmers to run. Default all. */
  only?: readonly string[] | undefined
  /** Whether to wait until they are through. Default `false`. */
  wait?: boolean | undefined
}

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Runs warmers of the option `warmers`, here; one that is running runs again when it is through. Resolves with the names of those that ran, or
     * that have begun to, unless it is to `wait`.
     *
     * Errors: `ERR_INVALID_ARGUMENT` for a warmer that there is not; with `wait`, that of the first warmer that failed, when all are through.
     *
     * @example
     * // warmers: [{ name: 'regulars', execute: people.regulars }], which returns pairs
     * await users.warm({ only: ['regulars'], wait: true })    // → ['regulars']
     * await users.exists('tom')                               // → true
     */
    warm(options?: WarmOptions): Promise<string[]>
  }
}

export const warm: Action = {
  name: 'warm', writes: true, arity: 0, options: ['only', 'wait'],
  call(caller, options?: WarmOptions) {
    checkCallOptions(warm, options)
    const known = caller.config.warmers.map(({ name }) => name)
    const { only = known, wait = false, timeout, signal } = options ?? {}
    if (!Array.isArray(only)) throw invalidArgument('the option only of warm is an array of names of warmers')
    for (const name of only as unknown[]) if (!known.includes(name as string)) throw invalidArgument(`there is no warmer '${String(name)}', only ${known.length === 0 ? 'none' : known.join(', ')}`)
    if (typeof wait !== 'boolean') throw invalidArgument('the option wait of warm is true or false')
    caller.refuseIfStopped()
    if (only.length === 0) return caller.telling || Promise.resolve([])
    const scratch = new Scratch(256)
    encodeValue([only, wait] satisfies WarmOrder, scratch)
    const outlet = caller.client.outlet(warmersAddress(caller.description.id))
    if (caller.telling) return outlet.tell(0, scratch, scratch.end, 0, 0)
    const timeoutMs = timeout === undefined ? DEFAULT_TIMEOUT_MS : readTimeout({ timeout })
    return outlet.ask(0, scratch, scratch.end, 0, 0, monotonicMs(), timeoutMs, signal).promise
  },
}
