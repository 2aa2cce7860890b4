/** By keys: locks them, and runs a function on the thread that has it, or in the pool. The function commits when it has returned. */
import { bounded } from '../calls/deadline.js'
import { currentScope } from '../functions/call-scope.js'
import { callFunction, type FunctionTask } from '../functions/function-call.js'
import { Beginning, transact, TransactionCaller, turnOf, type TransactionPlan } from '../transactions/transaction.js'
import type { Transaction } from '../transactions/transaction-handle.js'
import { tellNotes, type Note } from '../watching/watched-call.js'
import { functionName, type FunctionReference } from '../../runtime/functions.js'
import { describeError, invalidArgument, reviveError, type ErrorDescription } from '../../runtime/errors.js'
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import { actionOf, codeOf, publicActions } from '../action-codes.js'
import type { EncodedEntry } from '../walks/entry-batch.js'
import type { Caller } from '../calls/caller.js'
import type { Duration } from '../../runtime/duration.js'
import type { Key } from '../../runtime/codec/key.js'
import { keysOf } from './get-many.js'
import { readTimeLimit, type FunctionOptions } from './get-and-update.js'

export type TransactionArguments<A extends unknown[]> = [] extends A ? [options?: FunctionOptions<A>] : [options: FunctionOptions<A>]

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Runs a function, which may be asynchronous, on `(tx, ...args)` with these keys locked: `tx` has the cache's actions on keys, and reads
     * see its own writes. Others see the values from before until the function has returned; then all writes become visible at once, or none if
     * it failed, or died. Other writers of these keys wait, in order. Resolves with what the function returns. No keys: excludes other
     * transactions on this node. A transaction inside one joins it, and names a subset of its keys.
     *
     * `timeout` bounds the wait for the keys too; `functionTimeout`, default 5 s, how long the function may run. Hooks hear of what it writes when it has
     * committed; with `notify: false` of nothing that is done inside.
     *
     * Errors: `ERR_TIMEOUT`, with nothing done, if the keys are not free in time; `ERR_KEY_NOT_LOCKED` for another key, `ERR_NOT_IN_TRANSACTION` for an
     * action on the whole cache; `ERR_FUNCTION_FAILED` with the function's error as `cause`, `ERR_FUNCTION_TIMEOUT`, `ERR_UNKNOWN_FUNCTION`.
     *
     * @example
     * // give(tx, from, to, visits) reads both with tx.getMany, and writes both with tx.put
     * await users.transaction(['ada', 'bob'], people.give, { args: ['ada', 'bob', 1] })    // → true
     * const bob = await users.get('bob')
     * bob?.visits    // → 1
     */
    transaction<A extends unknown[], R>(
      keys: readonly Key[], reference: FunctionReference<(tx: Transaction<V>, ...args: A) => R>, ...options: TransactionArguments<A>
    ): Promise<Awaited<R>>
    transaction(keys: readonly Key[], name: string, options?: CallOptions & { functionTimeout?: Duration; args?: unknown[] }): Promise<unknown>
  }
  interface SpecialMessages<V> {
    transaction: readonly ['transaction', readonly Key[], FunctionReference | string, (CallOptions & { functionTimeout?: Duration; args?: readonly unknown[] })?]
  }
  interface SpecialReplies<V, M extends readonly unknown[]> {
    transaction: M extends readonly ['transaction', unknown, FunctionReference<infer F>, ...unknown[]] ? Awaited<ReturnType<F>> : unknown
  }
}

interface TransactionCall extends CallOptions {
  functionTimeout?: Duration
  args?: unknown[]
}

export const transaction: Action = {
  name: 'transaction', many: true, writes: true, keyed: true, arity: 2, options: ['args', 'functionTimeout'],
  call(caller, keys: unknown, reference: unknown, options?: TransactionCall) {
    const notes: Note[] = []
    if (caller instanceof TransactionCaller) return joined(caller, callOf(caller, keys, reference, options), options)
    const { telling } = caller
    const { ended, beginning } = begun(caller, callOf(caller, keys, reference, options), options, notes)
    // The locks have been given back: hooks may write these keys.
    const told = ended.then(() => tellNotes(caller, notes, telling ? 0 : beginning.deadlineMs, options?.signal))
    told.catch(() => undefined)
    return telling ? true : waited(ended, options, beginning).then((result) => told.then(() => result))
  },
  functionAt: 1,
  keysIn: ([keys]) => keysOf(keys, 'transaction'),
  spread(call) {
    const owner = call.oneOwnerOf(keysOf(call.args[0], 'transaction'))
    return owner === call.cluster.self ? call.here() : call.as(transactFor, watchedHere(call.caller, call.options)).at(owner)
  },
}

/** What `transactFor` is answered with. Notes name their action, whose number may be another one there. */
type ForReply = readonly [ended: 'value', result: unknown, notes: readonly ForNote[]] | readonly [ended: 'error', error: ErrorDescription, notes: readonly ForNote[]]
type ForNote = readonly [action: string, message: Uint8Array, result: Uint8Array]

/** Not public: a transaction for another node, on whose hooks it is told. The third argument: the names of the actions of which those want to hear. */
export const transactFor: Action = {
  name: 'transactFor', many: true, writes: true, keyed: true, arity: 3, options: ['args', 'functionTimeout'],
  async call(caller, keys: unknown, reference: unknown, watched: unknown, options?: TransactionCall): Promise<ForReply> {
    if (!Array.isArray(watched)) throw invalidArgument('names of actions')
    const notes: Note[] = []
    const named = (): ForNote[] => notes.map(([number, message, result]) => [actionOf(number).name, message, result])
    const { ended, beginning } = begun(caller, callOf(caller, keys, reference, options), options, notes, watched as string[])
    try {
      return ['value', await waited(ended, options, beginning), named()]
    } catch (error) {
      // Of what it has read the hooks are to hear all the same.
      if (notes.length === 0) throw error
      return ['error', describeError(error), named()]
    }
  },
  functionAt: 1,
  isOffered: true,
  keysIn: ([keys]) => keysOf(keys, 'transaction'),
  spread: (call) => call.at(call.oneOwnerOf(keysOf(call.args[0], 'transaction'))),
  async answered({ caller, options }, reply, untilMs) {
    const [ended, result, notes] = reply as ForReply // what `call` returns there
    const known = new Map(publicActions().map((action) => [action.name, codeOf(action)]))
    await tellNotes(caller, notes.flatMap(([name, message, its]) => (known.has(name) ? [[known.get(name)!, message, its] as const] : [])), untilMs, options?.signal)
    if (ended === 'error') throw reviveError(result)
    return result
  },
}

/** The actions of keys of which hooks here want to hear. */
function watchedHere({ watch }: Caller, options: CallOptions | undefined): string[] {
  if (options?.notify === false) return []
  return publicActions().filter((action) => action.keyed === true && watch.isWatched(codeOf(action))).map(({ name }) => name)
}

interface CheckedCall {
  readonly entries: readonly EncodedEntry[]
  readonly task: Omit<FunctionTask, 'rerun'>
  readonly isQuiet: boolean
}

function callOf(caller: Caller, keys: unknown, reference: unknown, options: TransactionCall | undefined): CheckedCall {
  checkCallOptions(transaction, options)
  const { args = [], functionTimeout } = options ?? {}
  const limitMs = readTimeLimit(functionTimeout)
  if (!Array.isArray(args)) throw invalidArgument('the option args is an array of the function\'s further arguments')
  const name = functionName(reference)
  const entries = keysOf(keys, 'transaction').map((key) => {
    caller.key(key)
    return caller.entry()
  })
  const { config, description } = caller
  return {
    entries, isQuiet: options?.notify === false,
    task: { name, args, limitMs: limitMs ?? config.poolTimeoutMs, cacheId: description.id, modules: config.functions },
  }
}

/** A transaction inside another one. */
function joined(caller: TransactionCaller, { entries, task, isQuiet }: CheckedCall, options: CallOptions | undefined): Promise<unknown> {
  const plan: TransactionPlan = { ...caller.plan, joined: true, keys: entries.map(({ bytes }) => bytes), isQuiet: isQuiet || caller.plan.isQuiet === true }
  return bounded(caller.follow(runFunction(caller, noting(task, caller.roomForNotes()), plan, undefined)), options, 'the transaction')
}

/**
 * Begins one.
 *
 * @param notes is given what the hooks are to hear of when it has ended
 * @param watched by the hooks of the node that it is for
 */
function begun(caller: Caller, { entries, task, isQuiet }: CheckedCall, options: CallOptions | undefined, notes: Note[], watched?: readonly string[]): { ended: Promise<unknown>; beginning: Beginning } {
  const { telling } = caller
  const beginning = new Beginning(options)
  const told = { isQuiet, ...watched && { watched } }
  caller.telling = false
  const ended = caller.order.take(turnOf(entries, 'lock'), (locked) => transact(caller, entries, options, (plan, again) => {
    locked()
    return runFunction(caller, noting(task, notes), { ...plan, ...told }, async () => ({ ...await again(), ...told }))
  }, beginning))
  caller.telling = telling
  return { ended, beginning }
}

function waited(ended: Promise<unknown>, options: CallOptions | undefined, beginning: Beginning): Promise<unknown> {
  return bounded(ended, options, 'the transaction', undefined, (timeoutMs) => beginning.giveUp(timeoutMs))
}

function noting(task: Omit<FunctionTask, 'rerun'>, notes: Note[]): Omit<FunctionTask, 'rerun'> {
  return { ...task, onNotes: (made) => notes.push(...made) }
}

/** Runs the function, and again in another transaction if its thread died over something else. One that has joined another is not run again. */
async function runFunction(caller: Caller, task: Omit<FunctionTask, 'rerun'>, plan: TransactionPlan, again: (() => Promise<TransactionPlan>) | undefined): Promise<unknown> {
  const within = (current: TransactionPlan): FunctionTask => ({
    ...task, gift: { what: 'transaction', place: 'first', data: current }, rerun: again !== undefined,
    ...again && { renew: async () => within(await again()) },
  })
  const called = callFunction(caller.client, within(plan))
  // A function that waits for another one holds no slot of its thread.
  return (await (currentScope()?.wait(called) ?? called)).value
}
