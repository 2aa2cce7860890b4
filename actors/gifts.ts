/** What functions get besides their arguments, made on the thread where they run. */
import { callerOf, quiet, type Cache } from './cache.js'
import type { Gift } from './function-call.js'
import type { CallReply } from './function-wire.js'
import { runLoad, type LoadTicket } from './load.js'
import { runUpdate, type UpdateTicket } from './locked-update.js'
import { runTransaction, type TransactionPlan } from './transaction.js'
import { transactionHandle } from './transaction-handle.js'

/**
 * Calls a function with what it gets, and does what has to be done around it.
 *
 * @param isOver whether its caller has been told meanwhile that it failed
 */
export async function giveTo(gift: Gift | undefined, cache: () => Cache<unknown> | Promise<Cache<unknown>>, call: (given: unknown) => Promise<CallReply>, isOver: () => boolean): Promise<CallReply> {
  switch (gift?.what) {
    case undefined: return call(undefined)
    case 'cache': return call(gift.data === 'quiet' ? quiet(await cache()) : await cache())
    case 'load': return runLoad(callerOf(await cache()), gift.data as LoadTicket, () => call(undefined))
    case 'update': return runUpdate(callerOf(await cache()), gift.data as UpdateTicket, call, isOver)
    case 'transaction': return runTransaction(callerOf(await cache()), gift.data as TransactionPlan, (inside) => call(transactionHandle(inside)), isOver)
  }
}
