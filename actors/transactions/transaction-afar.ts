/**
 * A transaction on another node whose function runs here, because a thread of this node has registered it: each of its actions is carried out there,
 * where the keys are locked, and that node commits when it hears that the function has returned.
 */
import { publicActions } from '../action-codes.js'
import type { Action } from '../action.js'
import type { Caller } from '../calls/caller.js'
import { RoutedCall } from '../cluster/routed-call.js'
import { notInside, type Transaction } from './transaction-handle.js'
import { CacheError } from '../../runtime/errors.js'

/** Which transaction it is: plain data. */
export interface AfarTicket {
  readonly node: string
  /** Its number there. */
  readonly transaction: number
}

class Afar {
  readonly #caller: Caller
  readonly #ticket: AfarTicket
  readonly #isOver: () => boolean
  readonly #underWay = new Set<Promise<unknown>>()
  #ended = false

  constructor(caller: Caller, ticket: AfarTicket, isOver: () => boolean) {
    this.#caller = caller
    this.#ticket = ticket
    this.#isOver = isOver
  }

  perform(action: Action, args: readonly unknown[]): Promise<unknown> {
    if (action.keyed !== true) throw notInside(action.name)
    if (this.#ended || this.#isOver()) throw new CacheError('ERR_NOT_IN_TRANSACTION', 'the transaction has ended: its function has returned, or its time was up')
    const { node, transaction } = this.#ticket
    const call = new RoutedCall(this.#caller, this.#caller.cluster!, action, args, 0, transaction)
    for (const key of call.keys) this.#caller.key(key)
    const result = call.at(node) as Promise<unknown>
    const settled: Promise<unknown> = result.then(() => undefined, () => undefined).then(() => this.#underWay.delete(settled))
    this.#underWay.add(settled)
    return result
  }

  /** Waits for what is under way: the other node is not told before that the function has returned. */
  async end(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
    this.#ended = true
  }
}

/** Runs the function, with the handle of the transaction. */
export async function runTransactionAfar<T>(caller: Caller, ticket: AfarTicket, run: (handle: Transaction<unknown>) => Promise<T>, isOver: () => boolean): Promise<T> {
  const afar = new Afar(caller, ticket, isOver)
  try {
    return await run(handleOf(afar))
  } finally {
    await afar.end()
  }
}

function handleOf(afar: Afar): Transaction<unknown> {
  // An error of the arguments has to become a rejection too.
  const methods = publicActions().map((action) => [action.name, async (...args: unknown[]) => afar.perform(action, args)] as const)
  const handle: unknown = { ...Object.fromEntries(methods), stream: () => { throw notInside('stream') } }
  return handle as Transaction<unknown> // it has these and more
}
