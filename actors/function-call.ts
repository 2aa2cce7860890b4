/**
 * Calls of functions by name that run outside the shards: where the caller's thread, another thread of the application or the pool
 * has them. Used by loaders, hooks, warmers, transactions and `execute`, on every thread that is a client of the node.
 *
 * Arguments and results travel encoded, and are copies wherever the function runs. The system thread passes them on as bytes:
 * it never decodes what may be of a class of the user's.
 */
import { decodeValue } from '../runtime/codec/value.js'
import type { Duration } from '../runtime/duration.js'

/** What a function gets besides its arguments: made on the thread where it runs. */
export interface Gift {
  /** `cache`: the handle of the task's cache. `transaction`: a handle of the transaction that `data` describes. */
  readonly what: 'cache' | 'transaction'
  /** Before its arguments or behind them. */
  readonly place: 'first' | 'last'
  /** Plain data, of the gift's own. */
  readonly data?: unknown
}

/** Arguments that are encoded already: the bytes of an encoded array. */
export class EncodedArguments {
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
}

/** One call of a function. */
export interface FunctionTask {
  /** Its name, from `functionName(reference)`. */
  readonly name: string
  /** The canonical bytes of a key that becomes the first argument. */
  readonly key?: Uint8Array
  readonly args: readonly unknown[] | EncodedArguments
  /** How long it may run, in milliseconds. */
  readonly limitMs: number
  /** The path of the cache's supervisor in the tree. */
  readonly cacheId: string
  /** URLs of the modules that may define it, loaded where it runs if they are not yet: the cache's `functions`. */
  readonly modules: readonly string[]
  readonly gift?: Gift
  /**
   * Whether it may be run again when its thread died over another call. Otherwise it then fails with `ERR_FUNCTION_FAILED` and
   * `outcome: 'unknown'`.
   */
  readonly rerun: boolean
}

/** What a function has said: a value, or a value with what is to become of it. */
export class FunctionResult {
  readonly kind: 'value' | 'commit' | 'ignore'
  /** The expiry that a `commit` gives. */
  readonly expire: Duration | null | undefined
  /** The encoded value, `undefined` included. */
  readonly bytes: Buffer

  constructor(kind: FunctionResult['kind'], expire: Duration | null | undefined, bytes: Buffer) {
    this.kind = kind
    this.expire = expire
    this.bytes = bytes
  }

  /** A copy of the value. */
  get value(): unknown {
    return decodeValue(this.bytes, 0, this.bytes.length)
  }
}
