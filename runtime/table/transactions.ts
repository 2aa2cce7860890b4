/**
 * The table of transactions of a cache: one shared buffer with a word for each slot, beside the tables of its shards.
 *
 *   word n:  generation << 3 | state        of the transaction that has slot n; word 0 is no slot's
 *
 * A transaction that runs has a slot, and the blocks that it has prepared in any of the cache's tables carry its number
 * (`layout.ts`). One store into the slot's word commits or aborts all of them at once: whoever meets a prepared block asks
 * the word whether the block counts. A slot is given to another transaction only when no block carries its number any more,
 * and whatever takes the number from a block moves the version of the block's bucket. So a reader whose version stayed has
 * asked the word of the right transaction.
 */

/** What a transaction is. Only `committed` makes its blocks count; it never goes on to another state while blocks carry its slot. */
export const SLOT_STATE = { free: 0, running: 1, committed: 2, aborted: 3 } as const
export type SlotState = (typeof SLOT_STATE)[keyof typeof SLOT_STATE]

/** Slots and the word of none. A slot's number has 12 bits. */
export const MAX_SLOTS = 4096
/** The number that means outside of any transaction, and that a block has which belongs to none any more. */
export const NO_SLOT = 0
export const TRANSACTIONS_BYTES = MAX_SLOTS * 4

const GENERATION_SHIFT = 3
const STATE_MASK = (1 << GENERATION_SHIFT) - 1

/** A slot's word. Generations count the transactions that the slot had, and wrap. */
export function slotWord(generation: number, state: SlotState): number {
  return (generation << GENERATION_SHIFT) | state
}

export function generationOf(word: number): number {
  return word >>> GENERATION_SHIFT
}

/** The state in a slot's word: one of `SLOT_STATE`. */
export function stateOf(word: number): number {
  return word & STATE_MASK
}

/** What the transaction in a slot is, for all threads at once. A number that is no slot is free: a reader asks before it knows better. */
export function stateOfSlot(words: Int32Array, slot: number): number {
  return slot > 0 && slot < words.length ? stateOf(Atomics.load(words, slot)) : SLOT_STATE.free
}
