/**
 * The contract of an action. One file for each in `actions/`, from which the handle's method, the message, the types
 * and the shard's part come; `action-list.ts` names them all.
 *
 * An action's file adds its method to `CacheActions`, where its documentation stands, and exports an `Action`.
 */
import { invalidArgument } from '../runtime/errors.js'
import { readTimeout } from '../runtime/actor.js'
import type { Duration } from '../runtime/duration.js'
import type { Request } from '../runtime/mailbox/inlet.js'
import type { Parkable, ParkedRequest } from '../runtime/mailbox/parking.js'
import type { Caller } from './calls/caller.js'
import type { RoutedCall } from './cluster/routed-call.js'
import type { Claim } from './transactions/gate.js'
import type { Shard } from './shards/shard.js'

/**
 * Every action is a method of the handle, and a message: a tuple of its name and its arguments, `timeout` and `signal` left out, for
 * `users.ask(message)` and `users.tell(message)`. Times are milliseconds, as numbers or as strings such as `'5m'`. Values come back as deep
 * copies; a missing key reads as `undefined`, and so does an expired one. Methods reject and never throw.
 *
 * Besides its own errors every action may fail with `ERR_INVALID_ARGUMENT`, `ERR_STOPPED` and `ERR_TIMEOUT`; every one that sends a message with
 * `ERR_MAILBOX_FULL` and `ERR_SHARD_CRASHED`; one on keys with `ERR_INVALID_KEY`; one that is given values with `ERR_UNSUPPORTED_VALUE`. An error's
 * `outcome` says whether it has happened all the same. The README has the list of codes.
 */
// Each action's file adds its method here.
// eslint-disable-next-line @typescript-eslint/no-empty-object-type
export interface CacheActions<V> {}

/**
 * What an ask with a message resolves to, and what its message is, where the method's own types cannot say it: overloads and
 * generic methods. Such an action's file adds itself.
 */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type
export interface SpecialMessages<V> {}
// eslint-disable-next-line @typescript-eslint/no-empty-object-type, @typescript-eslint/no-unused-vars
export interface SpecialReplies<V, M extends readonly unknown[]> {}

/** What the last parameter of every action may say. */
export interface CallOptions {
  /** How long the caller waits, in milliseconds or as `'5s'`. Default 5 s. It bounds the wait, never the work. */
  timeout?: Duration | undefined
  /** Rejects the call with the signal's reason when it is aborted; the work goes on. */
  signal?: AbortSignal | undefined
  /** This node only, where the cache runs on several: `ERR_REMOTE_KEY` for a key of another one. Default false. */
  local?: boolean | undefined
  /** `false`: no hooks. */
  notify?: boolean | undefined
}

export interface Action {
  /** The method's name, and the message's. */
  readonly name: string
  /** Whether it changes entries: later reads of the same caller go behind it. */
  readonly writes: boolean
  /** Whether it does something other than changing entries and reading: what is told is then carried out, too. */
  readonly acts?: boolean
  /** Whether it is about keys that it is given, and nothing else: then it is an action of transactions too. */
  readonly keyed?: boolean
  /** Its first argument is a collection of keys, pairs or entries, which can perhaps be walked only once. */
  readonly many?: boolean
  /** How many parameters come before its options. */
  readonly arity: number
  /** What positional arguments are that are left out, for whoever is told of the call. */
  readonly defaults?: readonly unknown[]
  /** Names of its own options, besides those of `CallOptions`. */
  readonly options: readonly string[]
  /**
   * The caller's part, on the caller's thread: checks the arguments and sends, or reads shared memory.
   * May throw; the handle makes a rejection of it.
   */
  call(caller: Caller, ...args: never[]): unknown
  /** The same, without a promise, where shared memory says it all; `BUSY` where a message is needed. */
  atOnce?(caller: Caller, ...args: never[]): unknown
  /** The shard's part: carries the request out and returns the reply. */
  apply?(shard: Shard, request: Request): unknown
  /**
   * What of the shard a request needs to itself: it waits while a transaction of somebody else's has it locked. Default: a keyed write its key,
   * another write the whole shard; a keyed read comes behind what its client writes to the key, another read needs nothing.
   */
  claim?(shard: Shard, request: Parkable): Claim | undefined
  /** In a cluster: what its results on several nodes are as one. One that has it is about the whole cache, on all nodes. */
  readonly merge?: (results: readonly unknown[]) => unknown
  /** In a cluster: carries out a call that is not simply for the owner of a key, or for all nodes. */
  readonly spread?: (call: RoutedCall) => unknown
  /** In a cluster: makes the caller's result of what another node has answered. `untilMs`: how long the caller waits, in monotonic milliseconds; 0: nobody does. */
  readonly answered?: (call: RoutedCall, reply: unknown, untilMs: number) => Promise<unknown>
  /** Which of its arguments is the key. Default the first. */
  readonly keyAt?: number
  /** The keys that it is about, if that is not one. */
  readonly keysIn?: (args: readonly unknown[]) => unknown[]
  /** Other nodes may have it carried out here, although it is neither keyed nor merged. */
  readonly isOffered?: boolean
  /** Which of its arguments names a function. */
  readonly functionAt?: number
  /** The function that it runs, if none of its arguments names it. */
  readonly functionIn?: (caller: Caller, args: readonly unknown[]) => string | undefined
  /** Takes up a request without a claim that a shard before this one had kept. */
  adopt?(shard: Shard, request: ParkedRequest): void
}

const COMMON = ['timeout', 'signal', 'local', 'notify']

/**
 * Refuses an argument that is no object of options, options that the action does not have, and those of every call that are of
 * the wrong kind. Throws the reason of a signal that is aborted already.
 */
export function checkCallOptions(action: Pick<Action, 'name' | 'options'>, options: object | undefined): void {
  if (options === undefined) return
  if (typeof options !== 'object' || (options as unknown) === null) throw invalidArgument(`the last argument of ${action.name} is an object of options`)
  for (const name in options) {
    if (!COMMON.includes(name) && !action.options.includes(name)) {
      throw invalidArgument(`${action.name} has no option '${name}', only ${[...action.options, ...COMMON].join(', ')}`)
    }
  }
  const { timeout, signal, local, notify } = options as CallOptions
  if (timeout !== undefined) readTimeout({ timeout })
  if (local !== undefined && typeof local !== 'boolean') throw invalidArgument('the option local is true or false')
  if (notify !== undefined && typeof notify !== 'boolean') throw invalidArgument('the option notify is true or false')
  if (signal === undefined) return
  if (!isSignal(signal)) throw invalidArgument('the option signal is an AbortSignal')
  if (signal.aborted) throw signal.reason
}

function isSignal(value: unknown): value is AbortSignal {
  const { addEventListener, removeEventListener } = (value ?? {}) as Partial<AbortSignal>
  return typeof addEventListener === 'function' && typeof removeEventListener === 'function'
}
