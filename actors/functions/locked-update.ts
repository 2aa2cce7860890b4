/**
 * An update by a function that a thread of the application has registered: it runs there, and not in the shard, so its key is
 * locked around it. It may be asynchronous.
 */
import { currentScope } from './call-scope.js'
import type { CommandConfig } from './command-options.js'
import { commandOutcome } from './command-outcome.js'
import { encodeResult } from './encoded-result.js'
import { ownFunction } from './registered-functions.js'
import type { CallOptions } from '../action.js'
import { get } from '../actions/get.js'
import { storeMade } from '../actions/store-made.js'
import type { Caller } from '../calls/caller.js'
import type { EncodedEntry } from '../walks/entry-batch.js'
import { bounded } from '../calls/deadline.js'
import { callFunction, type FunctionResult, type FunctionTask } from './function-call.js'
import type { ValueReply } from './function-wire.js'
import { decodeValue } from '../../runtime/codec/value.js'
import { CacheError } from '../../runtime/errors.js'
import { Beginning, runTransaction, transact, TransactionCaller, type TransactionPlan } from '../transactions/transaction.js'

/** What the thread that runs the function is told: plain data. */
export interface UpdateTicket {
  readonly plan: TransactionPlan
  readonly key: unknown
  /** What the function gets for a missing key. */
  readonly initial: unknown
  /** It is the function of this write command. */
  readonly command: CommandConfig | undefined
}

export interface LockedUpdate {
  readonly key: unknown
  readonly name: string
  readonly args: readonly unknown[]
  readonly initial: unknown
  readonly limitMs: number | undefined
  readonly command?: CommandConfig
}

/** Whether a thread of the application has registered this function. */
export function isRegistered({ client }: Caller, name: string): boolean {
  const peer = currentScope()?.peer
  if (peer !== undefined) return peer.name === name
  return ownFunction(name) !== undefined || client.names.ownerOf(name) !== undefined
}

/** Locks the key of the caller's last `key`, and has the function update it. Resolves with the new value. */
export function updateLocked(caller: Caller, call: LockedUpdate, options: CallOptions | undefined): Promise<unknown> {
  const entry = caller.entry()
  if (caller instanceof TransactionCaller) return bounded(caller.follow(runAt(caller, call, { ...caller.plan, joined: true, keys: [keyOf(entry)] })), options, 'the update')
  const beginning = new Beginning(options)
  const work = transact(caller, [entry], options, (locked) => runAt(caller, call, locked), beginning)
  return bounded(work, options, 'the update', undefined, (timeoutMs) => beginning.giveUp(timeoutMs))
}

function keyOf({ bytes, keyBytes }: EncodedEntry): Uint8Array {
  return bytes.subarray(0, keyBytes)
}

async function runAt(caller: Caller, call: LockedUpdate, plan: TransactionPlan): Promise<unknown> {
  const { key, initial, command } = call
  const result = await callForUpdate(caller, call, { gift: { what: 'update', place: 'first', data: { plan, key, initial, command } satisfies UpdateTicket } })
  return result.value
}

/** Calls the function of an update. `more`: what it gets. */
export function callForUpdate({ client, config, description }: Caller, { name, args, limitMs }: LockedUpdate, more: Partial<FunctionTask>): Promise<FunctionResult> {
  const called = callFunction(client, { name, args, limitMs: limitMs ?? config.poolTimeoutMs, cacheId: description.id, modules: config.functions, rerun: false, ...more })
  // A function that waits for another one holds no slot of its thread.
  return currentScope()?.wait(called) ?? called
}

/** Runs the function on the value, and stores what it returns, as `getAndUpdate` does, or as the command says. */
export function runUpdate(caller: Caller, { plan, key, initial, command }: UpdateTicket, call: (value: unknown) => Promise<ValueReply>, isOver: () => boolean): Promise<ValueReply> {
  return runTransaction(caller, plan, async (inside) => {
    const before: unknown = await get.call(inside, key as never, undefined as never)
    const reply = await call(before === undefined ? initial : before)
    const [kind, expire, bytes] = reply
    if (kind === 'ignore') return reply
    const value = decodeValue(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length)
    if (command !== undefined) {
      const outcome = commandOutcome(command, kind, value)
      if (outcome.stores) await store(inside, key, outcome.value, expire)
      return encodeResult(command.function, outcome.result)
    }
    if (value === undefined) {
      if (kind === 'commit') throw new CacheError('ERR_UNSUPPORTED_VALUE', 'the function committed undefined, which cannot be stored; use ignore(undefined)')
      return reply
    }
    await store(inside, key, value, expire)
    return reply
  }, isOver)
}

function store(inside: Caller, key: unknown, value: unknown, expireMs: number | null | undefined): Promise<unknown> {
  inside.key(key)
  inside.value(value)
  if (expireMs !== undefined) inside.rest(expireMs)
  return inside.send(storeMade, undefined)
}
