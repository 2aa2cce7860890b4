/** By key: reads shared memory; on a miss the shard says who loads the key, and the others wait for it. */
import { bounded } from '../calls/deadline.js'
import { currentScope } from '../functions/call-scope.js'
import type { Commit, Ignore } from '../functions/commit.js'
import { readExpire, type Expire } from '../calls/expiry.js'
import { callFunction, type FunctionResult, type FunctionTask } from '../functions/function-call.js'
import { reportFailure, ticketOf } from '../loading/load.js'
import { waitWithin } from '../loading/load-wait.js'
import type { FetchReply } from '../loading/loads.js'
import { DEADLINELESS_MS } from '../../runtime/actor.js'
import { decodeValue } from '../../runtime/codec/value.js'
import { CacheError, invalidArgument } from '../../runtime/errors.js'
import { functionName, type FunctionReference } from '../../runtime/functions.js'
import { Inlet } from '../../runtime/mailbox/inlet.js'
import { BUSY, MISSING } from '../../runtime/table/reader.js'
import { encodeValue } from '../../runtime/codec/value.js'
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import type { Caller } from '../calls/caller.js'
import { TransactionCaller } from '../transactions/transaction.js'
import type { EncodedEntry } from '../walks/entry-batch.js'
import { KEPT } from '../shards/shard.js'
import type { Duration } from '../../runtime/duration.js'
import type { Key } from '../../runtime/codec/key.js'
import { ttl } from './ttl.js'
import { get } from './get.js'
import { put } from './put.js'
import { readTimeLimit, type FunctionOptions, type ResultOf } from './get-and-update.js'

/** What a loader of values of type `V` may return, or a promise of it. */
export type Loaded<V> = V | Commit<V> | Ignore<unknown> | undefined

export type FetchOptions<A extends unknown[]> = FunctionOptions<A> & {
  /** Time to live of what is loaded; `null`: none. Default: the cache's. `commit` goes before it. */
  expire?: Expire | undefined
}

export type FetchArguments<A extends unknown[]> = [] extends A ? [options?: FetchOptions<A>] : [options: FetchOptions<A>]

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * The value of a key; if it is missing, what a function returns that is called with `(key, ...args)`: once for each key, however many callers on
     * however many threads want it meanwhile. The first one's function, arguments and options count. The result is stored, unless the key was written,
     * removed or cleared since the load began; `commit(value, { expire })` stores with an expiry, `ignore(value)` and `undefined` store nothing.
     * If storing is refused, callers get the value all the same. A caller that gives up does not cancel the load.
     *
     * Errors: `ERR_FUNCTION_FAILED` with the function's error as `cause`, `ERR_FUNCTION_TIMEOUT`, `ERR_UNKNOWN_FUNCTION`, for every caller that waits;
     * `ERR_DEADLOCK` for loads that wait for each other in a circle. Nothing is stored then.
     *
     * @example
     * // async load(id: string): what the database has of a user; here always somebody of 30 years
     * await users.fetch('eve', people.load, { expire: '5m' })    // → { name: 'eve', age: 30, visits: 0 }
     * await users.get('eve')                                     // → { name: 'eve', age: 30, visits: 0 }
     * await users.fetch('ada', people.load)                      // → { name: 'Ada', age: 36, visits: 1 }
     */
    fetch<K extends Key, A extends unknown[], R extends Loaded<V> | Promise<Loaded<V>>>(
      key: K, reference: FunctionReference<(key: K, ...args: A) => R>, ...options: FetchArguments<A>
    ): Promise<V | ResultOf<Awaited<R>>>
    fetch(key: Key, name: string, options?: CallOptions & { functionTimeout?: Duration; args?: unknown[]; expire?: Expire }): Promise<unknown>
  }
  interface SpecialMessages<V> {
    fetch: readonly ['fetch', Key, FunctionReference | string, (CallOptions & { functionTimeout?: Duration; args?: readonly unknown[]; expire?: Expire })?]
  }
  interface SpecialReplies<V, M extends readonly unknown[]> {
    fetch: M extends readonly ['fetch', unknown, FunctionReference<infer F>, ...unknown[]] ? V | ResultOf<Awaited<ReturnType<F>>> : unknown
  }
}

interface FetchCall extends CallOptions {
  functionTimeout?: Duration
  args?: unknown[]
  expire?: Expire
}

interface Loader {
  readonly name: string
  readonly args: readonly unknown[]
  readonly limitMs: number
  readonly expireMs: number | null | undefined
}

export const fetch: Action = {
  name: 'fetch', writes: false, acts: true, keyed: true, arity: 2, options: ['args', 'expire', 'functionTimeout'],
  call(caller, key: unknown, reference: unknown, options?: FetchCall) {
    checkCallOptions(fetch, options)
    const { args = [], functionTimeout, expire } = options ?? {}
    if (!Array.isArray(args)) throw invalidArgument('the option args is an array of the function\'s further arguments')
    const loader: Loader = {
      name: functionName(reference), args, limitMs: readTimeLimit(functionTimeout) ?? caller.config.poolTimeoutMs,
      expireMs: expire === undefined ? undefined : readExpire(expire, 'expire'),
    }
    caller.key(key)
    if (caller instanceof TransactionCaller) return bounded(caller.follow(loadInside(caller, key, caller.entry(), loader, options)), options, 'fetch')
    if (!caller.hasUnansweredWrite && !caller.telling) {
      const value = caller.read()
      if (value !== BUSY && value !== MISSING) {
        if (caller.counters !== null) caller.countLookup(true)
        return Promise.resolve(value)
      }
    }
    const entry = caller.entry()
    const { telling } = caller
    caller.telling = false
    try {
      const loading = fetchShared(caller, entry, loader)
      if (!telling) return bounded(loading, options, 'fetch', decodeBytes)
      loading.catch(() => undefined)
      return true
    } finally {
      caller.telling = telling
    }
  },
  apply(shard, request) {
    const block = shard.readable(request)
    shard.countLookup(block !== 0)
    if (block === 0) {
      if (request instanceof Inlet) shard.loads.want(request)
      return KEPT
    }
    shard.replyValueOf(block)
    shard.reply.reset()
    encodeValue(['value', shard.scratch.bytes.subarray(0, shard.scratch.end)] satisfies FetchReply, shard.reply)
    return shard.reply
  },
  functionAt: 1,
  spread(call) {
    const { caller, cluster, args: [key] } = call
    const owner = call.ownerOf(key)
    const scope = currentScope()
    if (owner === cluster.self || scope === undefined || caller.telling) return call.at(owner)
    return waitWithin(scope, caller, caller.scratch.bytes.subarray(0, caller.keyEnd), () => call.at(owner) as Promise<unknown>)
  },
  // What was kept of it waits for its load.
  claim: () => undefined,
  adopt: (shard, request) => shard.loads.adopt(request),
}

function decodeBytes(bytes: Uint8Array): unknown {
  return decodeValue(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length)
}

/** The encoded value. Calls of this handle for one key share one message, and wait for it together. */
function fetchShared(caller: Caller, entry: EncodedEntry, loader: Loader): Promise<Uint8Array> {
  const name = entry.bytes.toString('latin1')
  let shared = caller.loads.get(name)
  if (shared !== undefined) shared = shared.catch((error: unknown) => (isLenderGone(error) ? fetchShared(caller, entry, loader) : Promise.reject(error as Error)))
  else {
    shared = fetchOrLoad(caller, entry, loader).finally(() => caller.loads.delete(name))
    caller.loads.set(name, shared)
  }
  const scope = currentScope()
  if (scope === undefined) return shared
  const waited = waitWithin(scope, caller, entry.bytes, () => scope.wait(shared))
  // It may not come to waiting.
  shared.catch(() => undefined)
  return waited
}

async function fetchOrLoad(caller: Caller, entry: EncodedEntry, loader: Loader): Promise<Uint8Array> {
  for (;;) {
    caller.encodedKey(entry.bytes)
    let reply: FetchReply
    try {
      // Its message would pass what this handle writes and that waits for a transaction.
      if (caller.hasUnansweredWrite) await caller.send(ttl, { timeout: DEADLINELESS_MS })
      caller.encodedKey(entry.bytes)
      reply = await caller.send(fetch, { timeout: DEADLINELESS_MS }) as FetchReply
    } catch (error) {
      // Nothing was changed by it, and the shard that takes over knows the load.
      if ((error instanceof CacheError && error.code === 'ERR_SHARD_CRASHED') || isLenderGone(error)) continue
      throw error
    }
    return reply[0] === 'value' ? reply[1] : load(caller, entry, loader, reply[1])
  }
}

/** Whether somebody else's load has failed because the node is down that had lent its function: then another one is to load. */
function isLenderGone(error: unknown): boolean {
  return error instanceof CacheError && error.code === 'ERR_NODE_DOWN'
}

async function load(caller: Caller, entry: EncodedEntry, loader: Loader, number: number): Promise<Uint8Array> {
  const ticket = ticketOf(entry, number, loader.expireMs)
  try {
    const result = await callFunction(caller.client, { ...taskOf(caller, entry, loader), gift: { what: 'load', data: ticket } })
    return result.bytes
  } catch (error) {
    await reportFailure(caller, ticket, error)
    throw error
  }
}

/** In a transaction the key is locked: nobody else can be loading it. */
async function loadInside(caller: Caller, key: unknown, entry: EncodedEntry, loader: Loader, options: CallOptions | undefined): Promise<unknown> {
  const value: unknown = await get.call(caller, key as never, undefined as never)
  if (value !== undefined) return value
  const result: FunctionResult = await callFunction(caller.client, taskOf(caller, entry, loader))
  const loadedValue = result.value
  if (result.kind === 'ignore' || loadedValue === undefined) return loadedValue
  const expire = result.expireMs === undefined ? loader.expireMs : result.expireMs
  await put.call(caller, key as never, loadedValue as never, (expire === undefined ? { timeout: options?.timeout } : { expire, timeout: options?.timeout }) as never)
  return loadedValue
}

function taskOf({ config, description }: Caller, { bytes }: EncodedEntry, { name, args, limitMs }: Loader): FunctionTask {
  return { name, key: bytes, args, limitMs, cacheId: description.id, modules: config.functions, rerun: true }
}
