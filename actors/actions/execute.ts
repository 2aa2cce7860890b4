/** On this node: runs a function beside the data, on the thread that has it, or in the pool. */
import { currentScope } from '../functions/call-scope.js'
import type { Cache } from '../cache.js'
import { bounded } from '../calls/deadline.js'
import { isRegistered } from '../functions/locked-update.js'
import { callFunction } from '../functions/function-call.js'
import { functionName, type FunctionReference } from '../../runtime/functions.js'
import { invalidArgument } from '../../runtime/errors.js'
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import type { Duration } from '../../runtime/duration.js'
import type { Key } from '../../runtime/codec/key.js'
import { readTimeLimit, type FunctionOptions, type ResultOf } from './get-and-update.js'

export interface ExecutePlace {
  /** Runs on the node that owns this key, unless a thread of this node has registered it. */
  key?: Key | undefined
  /** Runs on this node. Default: on the key's, or here. */
  node?: string | undefined
}

export type ExecuteArguments<A extends unknown[]> = [] extends A ? [options?: FunctionOptions<A> & ExecutePlace] : [options: FunctionOptions<A> & ExecutePlace]

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Runs a function, which may be asynchronous, on `(cache, ...args)`: on this thread if it has registered it, on the thread of this node that has,
     * or else in the function pool. `cache` is a handle there. Resolves with a copy of what the function returns.
     *
     * `timeout` bounds the wait; `functionTimeout`, default 5 s, how long the function may run.
     *
     * Errors: `ERR_FUNCTION_FAILED` with the function's error as `cause`, or with `outcome: 'unknown'` if its thread died over something
     * else: it is not run again; `ERR_FUNCTION_TIMEOUT`, `ERR_UNKNOWN_FUNCTION`, `ERR_FUNCTION_NOT_REGISTERED` for a closure.
     *
     * @example
     * // visits: async (cache: Cache<User>, key: string) => (await cache.get(key))?.visits
     * await users.execute(people.visits, { args: ['ada'] })    // → 1
     */
    execute<A extends unknown[], R>(
      reference: FunctionReference<(cache: Cache<V>, ...args: A) => R>, ...options: ExecuteArguments<A>
    ): Promise<ResultOf<Awaited<R>>>
    execute(name: string, options?: CallOptions & ExecutePlace & { functionTimeout?: Duration; args?: unknown[] }): Promise<unknown>
  }
  interface SpecialMessages<V> {
    execute: readonly ['execute', FunctionReference | string, (CallOptions & ExecutePlace & { functionTimeout?: Duration; args?: readonly unknown[] })?]
  }
  interface SpecialReplies<V, M extends readonly unknown[]> {
    execute: M extends readonly ['execute', FunctionReference<infer F>, ...unknown[]] ? ResultOf<Awaited<ReturnType<F>>> : unknown
  }
}

interface ExecuteCall extends CallOptions, ExecutePlace {
  functionTimeout?: Duration
  args?: unknown[]
}

export const execute: Action = {
  // It may do anything, and a told one is to do it.
  name: 'execute', writes: true, arity: 1, options: ['args', 'key', 'node', 'functionTimeout'],
  call(caller, reference: unknown, options?: ExecuteCall) {
    checkCallOptions(execute, options)
    const { args = [], key, node, functionTimeout } = options ?? {}
    const limitMs = readTimeLimit(functionTimeout)
    if (!Array.isArray(args)) throw invalidArgument('the option args is an array of the function\'s further arguments')
    if (node !== undefined && node !== caller.client.node) throw invalidArgument(`the option node of execute is the name of a node that runs the cache: '${caller.client.node}'`)
    const name = functionName(reference)
    if (key === undefined) caller.refuseIfStopped()
    else caller.key(key)
    const { telling, config, description } = caller
    const called = callFunction(caller.client, {
      name, args, limitMs: limitMs ?? config.poolTimeoutMs, cacheId: description.id, modules: config.functions,
      gift: { what: 'cache', place: 'first' }, rerun: false,
    })
    if (telling) {
      called.catch(() => undefined)
      return true
    }
    // A function that waits for another one holds no slot of its thread.
    const ended = currentScope()?.wait(called) ?? called
    return bounded(ended, options, 'the function', ({ value }) => value)
  },
  isOffered: true,
  functionAt: 0,
  spread(call) {
    const { node, key } = (call.options ?? {}) as ExecuteCall
    const { nodes } = call.cluster
    if (node !== undefined && !nodes.includes(node)) throw invalidArgument(`the option node of execute is the name of a node that runs the cache: ${nodes.join(', ')}`)
    const owner = node ?? (key === undefined ? call.cluster.self : call.ownerOf(key))
    // What a thread has registered stays there.
    if (node === undefined && isRegistered(call.caller, functionName(call.args[0]))) return call.here()
    return call.at(owner, call.args, ['node', 'key'])
  },
}
