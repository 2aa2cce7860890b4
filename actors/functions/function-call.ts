/**
 * Calls of functions by name that run outside the shards: where the caller's thread, another thread of the application or the pool
 * has them. Used by loaders, hooks, warmers, transactions and `execute`, on every thread that is a client of the node.
 *
 * Arguments and results travel encoded, and are copies wherever the function runs. The system thread passes them on as bytes:
 * it never decodes what may be of a class of the user's.
 */
import { DEADLINELESS_MS } from '../../runtime/actor.js'
import type { Client } from '../../runtime/client.js'
import { monotonicMs } from '../../runtime/clock.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import { decodeValue } from '../../runtime/codec/value.js'
import { CacheError, errorCode, reviveError } from '../../runtime/errors.js'
import { currentScope } from './call-scope.js'
import { PoolThreads, type PoolThread } from './function-pool.js'
import { readCall, writeCall, writeHeader, type CallReply, type EncodedArguments, type LostCall, type WrittenCall } from './function-wire.js'
import { ownFunction, runOwn } from './registered-functions.js'
import type { Note } from '../watching/watched-call.js'

/** What a function gets besides its arguments: made on the thread where it runs. */
export interface Gift {
  /**
   * `cache`: the handle of the task's cache; with the data `quiet` one whose calls no hook hears of. `transaction`: a handle of the transaction that
   * `data` describes. `load`: nothing, and what it returns is stored as the result of the load that `data` describes. `update`: the value of the key
   * that `data` names, and what it returns is stored there. `filter`: the entries in `data`, one after the other. `transaction afar`: a handle of the
   * transaction on another node that `data` describes. `loading`: nothing; it loads the key in `data`, encoded, for another node.
   */
  readonly what: 'cache' | 'transaction' | 'load' | 'update' | 'filter' | 'transaction afar' | 'loading'
  /** Before its arguments or behind them. */
  readonly place?: 'first' | 'last'
  /** Plain data, of the gift's own. */
  readonly data?: unknown
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
  /** What is called instead when it is run again: with another gift. Rejects if it must not be. */
  readonly renew?: () => Promise<FunctionTask>
  /** Is given what the hooks are to hear of a transaction's function, if the transaction commits. */
  readonly onNotes?: (notes: readonly Note[]) => void
  /** The client whose thread's own function is meant, if that has one of the name. Default: the caller's. */
  readonly home?: number
}

/** What a function has said: a value, or a value with what is to become of it. */
export class FunctionResult {
  readonly kind: 'value' | 'commit' | 'ignore'
  /** The time to live that a `commit` gives, in milliseconds; `null` for none. */
  readonly expireMs: number | null | undefined
  /** The encoded value, `undefined` included. */
  readonly bytes: Buffer

  constructor(kind: FunctionResult['kind'], expireMs: number | null | undefined, bytes: Buffer) {
    this.kind = kind
    this.expireMs = expireMs
    this.bytes = bytes
  }

  /** A copy of the value. */
  get value(): unknown {
    return decodeValue(this.bytes, 0, this.bytes.length)
  }
}

/** A call that was lost with its thread so many times, never alone at work, is not made again. */
const MAX_ATTEMPTS = 5

/** How long past its limit a call on another thread of the application may take, which keeps the process alive meanwhile. */
const PASSING_MS = 10_000

/** Where a function is. */
type Place = { readonly at: 'here' | 'pool' } | { readonly at: 'thread'; readonly client: number }

/**
 * Calls a function: the one that this thread has registered under its name, or else another thread of the application, or else that
 * of a module, in the pool. Its arguments are copied before this returns, and it throws at once if they
 * cannot be.
 *
 * @throws `ERR_UNKNOWN_FUNCTION`; `ERR_FUNCTION_FAILED` with the function's error, or its thread's, as `cause`; `ERR_FUNCTION_TIMEOUT`;
 * `ERR_MODULE_LOAD`; `ERR_UNSUPPORTED_VALUE` for arguments or a result that cannot be sent; `ERR_STOPPED`
 */
export function callFunction(client: Client, task: FunctionTask): Promise<FunctionResult> {
  const scratch = new Scratch(512)
  return makeCall(client, task, writeCall(task, scratch), scratch)
}

async function makeCall(client: Client, task: FunctionTask, written: WrittenCall, scratch: Scratch): Promise<FunctionResult> {
  const peer = currentScope()?.peer
  if (peer?.name === task.name) return resultOf(task, await peer.call(task) as Exclude<CallReply, readonly ['again', ...unknown[]]>) // nobody else's thread can die of it
  let alone: PoolThread | undefined
  for (let attempt = 1; ; attempt++) {
    const place: Place = alone === undefined ? findFunction(client, task) : { at: 'pool' }
    writeHeader(task, alone !== undefined, written, scratch)
    let reply: CallReply
    if (place.at === 'pool') {
      const thread: PoolThread = alone ?? (await PoolThreads.of(client)).pick()
      reply = await callInPool(client, thread, written, scratch)
      alone = reply[0] === 'again' && reply[1].wasAtWork ? thread : undefined
    } else if (place.at === 'thread') {
      reply = await callOnThread(client, place.client, task, written, scratch)
    } else {
      reply = await runOwn(client, readCall(scratch.bytes, 0, written.keyEnd, written.argsEnd, scratch.end))
    }
    if (reply[0] !== 'again') return resultOf(task, reply)
    if (!task.rerun || attempt === MAX_ATTEMPTS) throw lostError(task, reply[1])
    // The arguments are the same, and are written already.
    if (task.renew !== undefined) task = await task.renew()
  }
}

function resultOf({ onNotes }: FunctionTask, reply: Exclude<CallReply, readonly ['again', ...unknown[]]>): FunctionResult {
  if (reply[0] === 'failed') {
    onNotes?.(reply[2])
    throw reviveError(reply[1])
  }
  const [kind, expireMs, { buffer, byteOffset, byteLength }, notes] = reply
  if (notes !== undefined) onNotes?.(notes)
  return new FunctionResult(kind, expireMs, Buffer.from(buffer, byteOffset, byteLength))
}

function findFunction(client: Client, { name, home }: FunctionTask): Place {
  const { names } = client
  if (currentScope()?.peer !== undefined) return { at: 'pool' }
  if (home !== undefined && home !== client.id && names.holds(name, home)) return { at: 'thread', client: home }
  if (ownFunction(name) !== undefined) return { at: 'here' }
  const owner = names.ownerOf(name)
  return owner === undefined ? { at: 'pool' } : { at: 'thread', client: owner }
}

async function callInPool(client: Client, thread: PoolThread, { keyEnd, argsEnd }: WrittenCall, scratch: Scratch): Promise<CallReply> {
  thread.unanswered++
  try {
    const pending = client.outlet(thread.address).ask(0, scratch, keyEnd, argsEnd - keyEnd, scratch.end - argsEnd, monotonicMs(), DEADLINELESS_MS)
    return await pending.promise as CallReply
  } catch (error) {
    // It died between taking the call and noting it: it cannot have been over this one.
    if (errorCode(error) !== 'ERR_ACTOR_CRASHED') throw error
    return ['again', { wasAtWork: false, isOverdue: false, cause: undefined }]
  } finally {
    thread.unanswered--
  }
}

async function callOnThread(client: Client, registrant: number, { name, limitMs }: FunctionTask, { keyEnd, argsEnd }: WrittenCall, scratch: Scratch): Promise<CallReply> {
  const link = await client.link()
  try {
    const bytes = Uint8Array.prototype.slice.call(scratch.bytes, 0, scratch.end)
    return await link.call((api) => api.callRegistered(registrant, { bytes, keyEnd, argsEnd }, limitMs), limitMs + PASSING_MS) as CallReply
  } catch (error) {
    if (link.peerDied) return ['again', { wasAtWork: false, isOverdue: false, cause: undefined }]
    switch (errorCode(error)) {
      case 'ERR_ACTOR_CRASHED': throw new CacheError('ERR_FUNCTION_FAILED', `the thread that has registered the function '${name}' ended; how far it came is unknown`, { outcome: 'unknown', function: name, cause: error })
      case 'ERR_TIMEOUT': throw new CacheError('ERR_FUNCTION_TIMEOUT', `the function '${name}' did not end within its time limit of ${limitMs} ms, and its thread answers nothing; how far it came is unknown`, { outcome: 'unknown', function: name, timeout: limitMs })
    }
    throw error
  }
}

function lostError({ name, limitMs }: FunctionTask, { isOverdue, cause }: LostCall): CacheError {
  const details = { outcome: 'unknown', function: name, cause: cause && reviveError(cause) } as const
  return isOverdue
    ? new CacheError('ERR_FUNCTION_TIMEOUT', `the function '${name}' did not end within its time limit of ${limitMs} ms, and its thread was killed; how far it came is unknown`, { ...details, timeout: limitMs })
    : new CacheError('ERR_FUNCTION_FAILED', `the thread that ran the function '${name}' died; how far it came is unknown`, details)
}
