/** By keys: a transaction without a function. One message if all of them are of one shard. */
import { readExpire, type Expire } from '../calls/expiry.js'
import { bounded } from '../calls/deadline.js'
import { batchExpiry, batchTicket, eachInBatch, encodeBatch, type EncodedEntry } from '../walks/entry-batch.js'
import { runTransaction, transact, transactAtOnce, turnOf } from '../transactions/transaction.js'
import { invalidArgument } from '../../runtime/errors.js'
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import type { Caller } from '../calls/caller.js'
import type { Shard } from '../shards/shard.js'
import type { Key } from '../../runtime/codec/key.js'
import type { Request } from '../../runtime/mailbox/inlet.js'

export interface PutManyOptions extends CallOptions {
  /** Time to live of all of them. `null`: none, whatever the default. Not positive: they are removed. Default: the cache's. */
  expire?: Expire | undefined
}

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Stores several pairs of key and value. All of them become visible at once, or none does. Of two with one key the later counts.
     *
     * Errors: `ERR_TOO_LARGE`; `ERR_FULL` with the policy `none`; `ERR_TIMEOUT` if a transaction holds one of the keys for too long. Nothing has
     * changed then.
     *
     * @example
     * await users.putMany([['eve', { name: 'Eve', age: 30, visits: 0 }], ['tom', { name: 'Tom', age: 12, visits: 0 }]], { expire: '1h' })
     * await users.size()    // → 4
     */
    putMany(pairs: Iterable<readonly [Key, V]>, options?: PutManyOptions): Promise<void>
  }
}

/** A message carries about so many bytes of entries. */
const BATCH_BYTES = 256 << 10

export const putMany: Action = {
  name: 'putMany', many: true, writes: true, keyed: true, arity: 1, options: ['expire'],
  call(caller, pairs: unknown, options?: PutManyOptions) {
    checkCallOptions(putMany, options)
    const expireMs = options?.expire === undefined ? undefined : readExpire(options.expire, 'expire')
    const entries = encodePairs(caller, pairs)
    const { telling } = caller
    caller.telling = false
    const stored = store(caller, entries, expireMs, options)
    caller.telling = telling
    if (!telling) return bounded(stored, options, 'putMany')
    stored.catch(() => undefined)
    return true
  },
  keysIn: ([pairs]) => keysOfPairs(pairs),
  spread: (call) => call.at(call.oneOwnerOf(keysOfPairs(call.args[0]))),
  claim: (shard, request) => ({ kind: 'keys', hashes: shard.hashesIn(request), holder: 0 }),
  apply: (shard, request) => shard.transactions.atOnce(batchTicket(request), () => putAll(shard, request)),
}

/** Not public: a part of a transaction, of several keys. */
export const putBatch: Action = {
  name: 'putBatch', writes: true, keyed: true, arity: 0, options: [],
  call: () => undefined,
  apply(shard, request) {
    for (const hash of shard.hashesIn(request)) shard.transactions.check(request, hash)
    putAll(shard, request)
  },
}

function putAll(shard: Shard, request: Request): void {
  const expireMs = batchExpiry(request)
  eachInBatch(request, (keyStart, keyEnd, valueEnd) => shard.putBytes(request.bytes, keyStart, keyEnd, valueEnd, expireMs))
}

async function store(caller: Caller, entries: readonly EncodedEntry[], expireMs: number | null | undefined, options: PutManyOptions | undefined): Promise<void> {
  if (entries.length === 0) return caller.refuseIfStopped()
  const groups = batches(entries)
  if (caller.plan !== undefined) return putParts(caller, groups, expireMs)
  if (groups.length === 1) {
    const { shard } = entries[0]!
    return caller.order.take(turnOf(entries, 'write'), (sent) => transactAtOnce(caller, shard, options, (ticket) => {
      caller.noKey()
      caller.restBytes(encodeBatch(entries, expireMs, ticket))
      const stored = caller.sendTo(shard, putMany, { timeout: options?.timeout, signal: options?.signal })
      sent()
      return stored
    }))
  }
  await caller.order.take(turnOf(entries, 'write'), () => transact(caller, entries, options, (plan) => runTransaction(caller, plan, (inside) => putParts(inside, groups, expireMs))))
}

/** Puts them as parts of the caller's transaction. */
async function putParts(caller: Caller, groups: readonly EncodedEntry[][], expireMs: number | null | undefined): Promise<void> {
  await Promise.all(groups.map((group) => {
    caller.noKey()
    caller.restBytes(encodeBatch(group, expireMs))
    return caller.sendTo(group[0]!.shard, putBatch, undefined)
  }))
}

/** Groups of entries of one shard, of about `BATCH_BYTES`. */
function batches(entries: readonly EncodedEntry[]): EncodedEntry[][] {
  const groups: EncodedEntry[][] = []
  const open = new Map<number, { group: EncodedEntry[]; bytes: number }>()
  for (const entry of entries) {
    let batch = open.get(entry.shard)
    if (batch === undefined || batch.bytes > BATCH_BYTES) {
      batch = { group: [], bytes: 0 }
      open.set(entry.shard, batch)
      groups.push(batch.group)
    }
    batch.group.push(entry)
    batch.bytes += entry.bytes.length
  }
  return groups
}

function encodePairs(caller: Caller, pairs: unknown): EncodedEntry[] {
  if (typeof pairs !== 'object' || pairs === null || !(Symbol.iterator in pairs)) throw notPairs()
  return Array.from(pairs as Iterable<unknown>, (pair) => {
    if (!Array.isArray(pair) || pair.length !== 2) throw notPairs()
    caller.key(pair[0])
    caller.value(pair[1])
    return caller.entry()
  })
}

function keysOfPairs(pairs: unknown): unknown[] {
  if (!Array.isArray(pairs)) throw notPairs()
  return pairs.map((pair: unknown) => {
    if (!Array.isArray(pair) || pair.length !== 2) throw notPairs()
    return pair[0] as unknown
  })
}

function notPairs(): TypeError {
  return invalidArgument('putMany needs an array of pairs [key, value]')
}
