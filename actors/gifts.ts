/** What functions get besides their arguments, made on the thread where they run. */
import { callerOf, quiet, type Cache } from './cache.js'
import type { Gift } from './function-call.js'
import { describeError } from '../runtime/errors.js'
import type { Caller } from './caller.js'
import type { CallReply, ValueReply } from './function-wire.js'
import { runLoad, type LoadTicket } from './load.js'
import { runUpdate, type UpdateTicket } from './locked-update.js'
import { runTransaction, type TransactionCaller, type TransactionPlan } from './transaction.js'
import { transactionHandle } from './transaction-handle.js'

/**
 * Calls a function with what it gets, and does what has to be done around it.
 *
 * @param isOver whether its caller has been told meanwhile that it failed
 */
export async function giveTo(gift: Gift | undefined, cache: () => Cache<unknown> | Promise<Cache<unknown>>, call: (given: unknown) => Promise<ValueReply>, isOver: () => boolean): Promise<CallReply> {
  switch (gift?.what) {
    case undefined: return call(undefined)
    case 'cache': return call(gift.data === 'quiet' ? quiet(await cache()) : await cache())
    case 'load': return runLoad(callerOf(await cache()), gift.data as LoadTicket, () => call(undefined))
    case 'update': return runUpdate(callerOf(await cache()), gift.data as UpdateTicket, call, isOver)
    case 'transaction': return runInTransaction(callerOf(await cache()), gift.data as TransactionPlan, call, isOver)
  }
}

/** Has the reply say what the hooks are to hear of. What a function has written that fails stays a part of the transaction that it has joined. */
async function runInTransaction(caller: Caller, plan: TransactionPlan, call: (given: unknown) => Promise<ValueReply>, isOver: () => boolean): Promise<CallReply> {
  let made: TransactionCaller | undefined
  try {
    const [kind, expireMs, value] = await runTransaction(caller, plan, (inside) => call(transactionHandle(made = inside)), isOver)
    return [kind, expireMs, value, made!.notes]
  } catch (error) {
    if (plan.joined !== true || made === undefined) throw error
    return ['failed', describeError(error), made.notes]
  }
}
