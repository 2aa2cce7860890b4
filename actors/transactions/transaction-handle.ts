/** What a transaction's function is given: the actions of the cache that are about keys, as parts of the transaction. */
import { CacheError } from '../../runtime/errors.js'
import { codeOf, publicActions } from '../action-codes.js'
import type { Action, CacheActions } from '../action.js'
import type { TransactionCaller } from './transaction.js'
import { notedCall, watchedCall } from '../watching/watched-call.js'

/** The actions that a transaction has: those on keys that it is given. */
export type TransactionAction = Extract<keyof CacheActions<unknown>, 'get' | 'getMany' | 'put' | 'putMany' | 'update' | 'take' | 'del' | 'delMany' | 'exists'
  | 'incr' | 'decr' | 'expire' | 'expireAt' | 'persist' | 'ttl' | 'refresh' | 'touch' | 'fetch' | 'getAndUpdate' | 'invoke' | 'transaction'>

/**
 * A transaction, as its function sees it. Reads see its own writes; nobody else does before its function has returned. Another key than those
 * listed: `ERR_KEY_NOT_LOCKED`; an action on the whole cache: `ERR_NOT_IN_TRANSACTION`.
 */
export type Transaction<V> = Pick<CacheActions<V>, TransactionAction>

class Inside {
  readonly caller: TransactionCaller

  constructor(caller: TransactionCaller) {
    this.caller = caller
  }

  /** No action, and no promise either: it throws. */
  stream(): never {
    throw notInside('stream')
  }
}

let isComplete = false

/** The methods come from the list of actions, which is not there yet when this module is loaded. */
function complete(): void {
  isComplete = true
  for (const action of publicActions()) {
    const number = codeOf(action)
    // What is read has been read, also by a transaction that comes to nothing.
    const isWrite = changesSomething(action)
    Object.defineProperty(Inside.prototype, action.name, {
      configurable: true,
      writable: true,
      // An error of the arguments has to become a rejection too.
      async value(this: Inside, ...args: unknown[]): Promise<unknown> {
        if (action.keyed !== true) throw notInside(action.name)
        const { caller } = this
        caller.refuseIfEnded()
        const call = (passed: unknown[]): unknown => action.call(caller, ...passed as never[])
        const { isQuiet, watched: afar } = caller.plan
        if (isQuiet === true || !(afar?.includes(action.name) ?? caller.watch.isWatched(number))) return caller.follow(call(args) as Promise<unknown>)
        const watched = isWrite || afar !== undefined ? notedCall(caller, action, args, call, () => caller.roomForNotes()) : watchedCall(caller, action, args, call) as Promise<unknown>
        return caller.follow(watched)
      },
    })
  }
}

/** Whether a transaction that comes to nothing has not done it. */
export function changesSomething({ writes, acts }: Action): boolean {
  return writes || acts === true
}

export function notInside(action: string): CacheError {
  return new CacheError('ERR_NOT_IN_TRANSACTION', `${action} is about the whole cache, and a transaction has its keys only: call it on the cache, outside`)
}

export function transactionHandle(inside: TransactionCaller): Transaction<unknown> {
  if (!isComplete) complete()
  return new Inside(inside) as unknown as Transaction<unknown>
}
