/**
 * An update by a function that a thread of the application has registered: it runs there, and not in the shard, so its key is
 * locked around it. It may be asynchronous.
 */
import { ownFunction } from './registered-functions.js'
import type { CallOptions } from './action.js'
import { get } from './actions/get.js'
import { put } from './actions/put.js'
import { update } from './actions/update.js'
import type { Caller } from './caller.js'
import type { EncodedEntry } from './entry-batch.js'
import { bounded } from './deadline.js'
import { callFunction } from './function-call.js'
import type { ValueReply } from './function-wire.js'
import { decodeValue } from '../runtime/codec/value.js'
import { CacheError } from '../runtime/errors.js'
import { runTransaction, transact, TransactionCaller, type TransactionPlan } from './transaction.js'

/** What the thread that runs the function is told: plain data. */
export interface UpdateTicket {
  readonly plan: TransactionPlan
  readonly key: unknown
  /** What the function gets for a missing key. */
  readonly initial: unknown
}

export interface LockedUpdate {
  readonly key: unknown
  readonly name: string
  readonly args: readonly unknown[]
  readonly initial: unknown
  readonly limitMs: number | undefined
}

/** Whether a thread of the application has registered this function. */
export function isRegistered({ client }: Caller, name: string): boolean {
  return ownFunction(name) !== undefined || client.names.ownerOf(name) !== undefined
}

/** Locks the key of the caller's last `key`, and has the function update it. Resolves with the new value. */
export function updateLocked(caller: Caller, call: LockedUpdate, options: CallOptions | undefined): Promise<unknown> {
  const entry = caller.entry()
  const work = caller instanceof TransactionCaller
    ? caller.follow(runAt(caller, call, { ...caller.plan, joined: true, keys: [keyOf(entry)] }))
    : transact(caller, [entry], options, (locked) => runAt(caller, call, locked))
  return bounded(work, options, 'the update')
}

function keyOf({ bytes, keyBytes }: EncodedEntry): Uint8Array {
  return bytes.subarray(0, keyBytes)
}

async function runAt({ client, config, description }: Caller, { key, name, args, initial, limitMs }: LockedUpdate, plan: TransactionPlan): Promise<unknown> {
  const result = await callFunction(client, {
    name, args, limitMs: limitMs ?? config.poolTimeoutMs, cacheId: description.id, modules: config.functions, rerun: false,
    gift: { what: 'update', place: 'first', data: { plan, key, initial } satisfies UpdateTicket },
  })
  return result.value
}

/** Runs the function on the value, and stores what it returns, as `getAndUpdate` does. */
export function runUpdate(caller: Caller, { plan, key, initial }: UpdateTicket, call: (value: unknown) => Promise<ValueReply>, isOver: () => boolean): Promise<ValueReply> {
  return runTransaction(caller, plan, async (inside) => {
    const before: unknown = await get.call(inside, key as never, undefined as never)
    const reply = await call(before === undefined ? initial : before)
    const [kind, expire, bytes] = reply
    if (kind === 'ignore') return reply
    const value = decodeValue(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length)
    if (value === undefined) {
      if (kind === 'commit') throw new CacheError('ERR_UNSUPPORTED_VALUE', 'the function committed undefined, which cannot be stored; use ignore(undefined)')
      return reply
    }
    // Without an expiry of its own the entry keeps the one that it has, and its modified time.
    if (expire === undefined && await update.call(inside, key as never, value as never, undefined as never)) return reply
    await put.call(inside, key as never, value as never, (expire === undefined ? undefined : { expire }) as never)
    return reply
  }, isOver)
}
