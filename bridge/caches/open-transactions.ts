/**
 * Transactions on this node's keys whose functions run on other nodes, by the numbers under which those name them. Each is its node's alone, and only
 * as long as the function runs.
 */
import type { Transaction } from '../../actors/transactions/transaction-handle.js'
import type { Peer } from '../peers/peer.js'

export class OpenTransactions {
  readonly #open = new Map<number, { readonly peer: Peer; readonly handle: Transaction<unknown> }>()
  #last = 0

  /** Has a node use a transaction until `run` has settled. */
  async during<T>(peer: Peer, handle: Transaction<unknown>, run: (number: number) => Promise<T>): Promise<T> {
    do this.#last = (this.#last + 1) >>> 0
    while (this.#open.has(this.#last))
    const number = this.#last
    this.#open.set(number, { peer, handle })
    try {
      return await run(number)
    } finally {
      this.#open.delete(number)
    }
  }

  find(peer: Peer, number: number): Transaction<unknown> | undefined {
    const found = this.#open.get(number)
    return found?.peer === peer ? found.handle : undefined
  }
}
