/** What a transaction's function is given: the actions of the cache that are about keys, as parts of the transaction. */
import { CacheError } from '../runtime/errors.js'
import { publicActions } from './action-codes.js'
import type { CacheActions } from './action.js'
import type { TransactionCaller } from './transaction.js'

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
    Object.defineProperty(Inside.prototype, action.name, {
      configurable: true,
      writable: true,
      // An error of the arguments has to become a rejection too.
      // eslint-disable-next-line @typescript-eslint/require-await
      async value(this: Inside, ...args: unknown[]): Promise<unknown> {
        if (action.keyed !== true) throw notInside(action.name)
        return action.call(this.caller, ...args as never[])
      },
    })
  }
}

function notInside(action: string): CacheError {
  return new CacheError('ERR_NOT_IN_TRANSACTION', `${action} is about the whole cache, and a transaction has its keys only: call it on the cache, outside`)
}

export function transactionHandle(inside: TransactionCaller): Transaction<unknown> {
  if (!isComplete) complete()
  return new Inside(inside) as unknown as Transaction<unknown>
}
