/**
 * The slots of a cache's transactions, from the side of those who run them. `runtime/table/transactions.ts` has the words that the
 * tables' readers ask; here is who gives a slot away and takes it back.
 *
 * A second shared buffer has an owner for each slot: the client whose transaction it is. Who writes what:
 *
 *   owner word   0 → client          by compare-and-exchange, by the thread that takes the slot
 *   slot word    free → running      by the owner, with the next generation
 *                running → committed by compare-and-exchange, by the thread that ran the transaction's function
 *                running → aborted   by compare-and-exchange, by the owner, or by the locksmith once the owner is gone
 *                … → free            by the owner or the locksmith, once no block and no lock carries the slot
 *   owner word   client → 0          by the same, afterwards
 *
 * Of commit and abort one compare-and-exchange wins, so a transaction that has been given up cannot commit, and one that has committed
 * is never undone. A thread that dies between any two of these leaves a slot that is owned by a client that is gone.
 */
import { generationOf, MAX_SLOTS, slotWord, SLOT_STATE, stateOf, TRANSACTIONS_BYTES } from '../../runtime/table/transactions.js'

/** The buffers that a cache has for its transactions, with their sizes. */
export const TRANSACTION_BUFFERS = { slots: TRANSACTIONS_BYTES, owners: MAX_SLOTS * 4 } as const

/** A transaction: its slot and the slot's generation. Plain data, to be sent to the thread that runs it. */
export interface Ticket {
  readonly slot: number
  readonly generation: number
}

/** How soon slots that other threads gave back are looked for, in milliseconds. */
const RETRY_MS = 5

export class Slots {
  readonly #words: Int32Array
  readonly #owners: Int32Array
  #next: number
  /** Those of this thread who wait for a slot, in order. */
  #waiting: (() => void)[] = []

  constructor({ slots, owners }: Record<keyof typeof TRANSACTION_BUFFERS, SharedArrayBuffer>) {
    this.#words = new Int32Array(slots)
    this.#owners = new Int32Array(owners)
    this.#next = 1 + Math.floor(Math.random() * (MAX_SLOTS - 1))
  }

  /** A slot for a transaction of `client`; `undefined` if all are taken. */
  take(client: number): Ticket | undefined {
    for (let tries = 1; tries < MAX_SLOTS; tries++) {
      const slot = this.#next
      this.#next = slot + 1 === MAX_SLOTS ? 1 : slot + 1
      if (Atomics.compareExchange(this.#owners, slot, 0, client) !== 0) continue
      const generation = (generationOf(Atomics.load(this.#words, slot)) + 1) & MAX_GENERATION
      Atomics.store(this.#words, slot, slotWord(generation, SLOT_STATE.running))
      return { slot, generation }
    }
    return undefined
  }

  /** Makes everything that the transaction has prepared visible, at once. False if it was aborted before. */
  commit(ticket: Ticket): boolean {
    return this.#settle(ticket, SLOT_STATE.committed)
  }

  /** Gives the transaction up. False if it has committed. */
  abort(ticket: Ticket): boolean {
    return this.#settle(ticket, SLOT_STATE.aborted)
  }

  isRunning({ slot, generation }: Ticket): boolean {
    return Atomics.load(this.#words, slot) === slotWord(generation, SLOT_STATE.running)
  }

  /** The slot may be taken by another transaction. */
  free({ slot, generation }: Ticket): void {
    Atomics.store(this.#words, slot, slotWord(generation, SLOT_STATE.free))
    Atomics.store(this.#owners, slot, 0)
    this.#waiting.shift()?.()
  }

  /** Resolves when a slot was given back on this thread, or after a moment: other threads do not tell. */
  async someFreed(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve)
      timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter((one) => one !== resolve)
        resolve()
      }, RETRY_MS)
    })
    clearTimeout(timer)
  }

  /** Those whose owner is gone, given up unless they have committed: for the locksmith to end. */
  orphans(isAlive: (client: number) => boolean): Ticket[] {
    const found: Ticket[] = []
    for (let slot = 1; slot < MAX_SLOTS; slot++) {
      const owner = Atomics.load(this.#owners, slot)
      if (owner === 0 || isAlive(owner)) continue
      const ticket = { slot, generation: generationOf(Atomics.load(this.#words, slot)) }
      this.abort(ticket)
      found.push(ticket)
    }
    return found
  }

  #settle({ slot, generation }: Ticket, state: typeof SLOT_STATE.committed | typeof SLOT_STATE.aborted): boolean {
    const seen = Atomics.compareExchange(this.#words, slot, slotWord(generation, SLOT_STATE.running), slotWord(generation, state))
    return stateOf(seen) === SLOT_STATE.running ? generationOf(seen) === generation : seen === slotWord(generation, state)
  }
}

/** Generations wrap here, below the sign of a slot's word. */
const MAX_GENERATION = 2 ** 28 - 1
