/** What functions get besides their arguments, made on the thread where they run. */
import { callerOf, quiet, type Cache } from '../cache.js'
import type { Gift } from './function-call.js'
import { encodeResult } from './encoded-result.js'
import { filterSlice, type FilterTicket } from '../walks/filter-slice.js'
import { describeError } from '../../runtime/errors.js'
import type { Caller } from '../calls/caller.js'
import type { CallReply, ValueReply } from './function-wire.js'
import { runLoad, type LoadTicket } from '../loading/load.js'
import { runUpdate, type UpdateTicket } from './locked-update.js'
import { runTransaction, type TransactionCaller, type TransactionPlan } from '../transactions/transaction.js'
import { actionOf } from '../action-codes.js'
import { runTransactionAfar, type AfarTicket } from '../transactions/transaction-afar.js'
import { changesSomething, transactionHandle } from '../transactions/transaction-handle.js'

/** A function that was called, on the thread where it runs. */
export interface CalledFunction {
  readonly name: string
  /** Runs it on its arguments and what it is given. */
  readonly run: (given: unknown) => Promise<unknown>
  readonly cache: () => Cache<unknown> | Promise<Cache<unknown>>
  /** Whether its caller has been told meanwhile that it failed. */
  readonly isOver: () => boolean
}

/** Runs a function with what it gets, and does what has to be done around it. */
export async function giveTo(gift: Gift | undefined, { name, run, cache, isOver }: CalledFunction): Promise<CallReply> {
  // Before what is around the function is done: a transaction whose result cannot be sent does not commit.
  const call = async (given: unknown): Promise<ValueReply> => encodeResult(name, await run(given))
  switch (gift?.what) {
    case undefined: case 'loading': return call(undefined)
    case 'filter': return filterSlice(gift.data as FilterTicket, run, isOver)
    case 'cache': return call(gift.data === 'quiet' ? quiet(await cache()) : await cache())
    case 'load': return runLoad(callerOf(await cache()), gift.data as LoadTicket, () => call(undefined))
    case 'update': return runUpdate(callerOf(await cache()), gift.data as UpdateTicket, call, isOver)
    case 'transaction afar': return runTransactionAfar(callerOf(await cache()), gift.data as AfarTicket, call, isOver)
    case 'transaction': return runInTransaction(callerOf(await cache()), gift.data as TransactionPlan, call, isOver)
  }
}

/**
 * Has the reply say what the hooks are to hear of. What a function has written that fails stays a part of the transaction that it has joined; what
 * it has read it has read.
 */
async function runInTransaction(caller: Caller, plan: TransactionPlan, call: (given: unknown) => Promise<ValueReply>, isOver: () => boolean): Promise<CallReply> {
  let made: TransactionCaller | undefined
  try {
    const [kind, expireMs, value] = await runTransaction(caller, plan, (inside) => call(transactionHandle(made = inside)), isOver)
    return [kind, expireMs, value, made!.notes]
  } catch (error) {
    const notes = made?.notes.filter(([number]) => plan.joined === true || !changesSomething(actionOf(number))) ?? []
    if (notes.length === 0) throw error
    return ['failed', describeError(error), notes]
  }
}
