/**
 * The writes of one handle that may be unanswered. A read that comes after one goes behind it, as a message, instead of reading
 * shared memory. Keys are known by the cell of their hash: two keys of one cell cost a message and nothing else.
 */
import type { Outlet } from '../../runtime/mailbox/outlet.js'
import type { Pending } from '../../runtime/mailbox/pending.js'

/** A power of two. */
const CELLS = 4096
/** The cell of writes that concern every key, such as `clear`. */
export const WHOLE = CELLS
/** A pending write's tag is its cell and, above these bits, its shard. */
const SHARD_SHIFT = 13

export function cellOf(hash: number): number {
  return hash & (CELLS - 1)
}

export class UnansweredWrites {
  /** How many were asked: by cell, and by shard. */
  readonly #byCell = new Uint32Array(CELLS + 1)
  readonly #byShard: Int32Array
  /** For each shard the lane on which something was told whose end is not known, and the lane's mark behind it. */
  readonly #told: (Outlet | undefined)[]
  readonly #marks: Int32Array
  readonly #answered = (tag: number): void => {
    this.#byCell[tag & ((1 << SHARD_SHIFT) - 1)]!--
    this.#byShard[tag >>> SHARD_SHIFT]!--
  }

  constructor(shards: number) {
    this.#byShard = new Int32Array(shards)
    this.#told = new Array<Outlet | undefined>(shards).fill(undefined)
    this.#marks = new Int32Array(shards)
  }

  asked(pending: Pending, cell: number, shard: number): void {
    this.#byCell[cell]!++
    this.#byShard[shard]!++
    pending.tag = cell | (shard << SHARD_SHIFT)
    pending.onAnswered = this.#answered
  }

  told(outlet: Outlet, shard: number): void {
    this.#told[shard] = outlet
    this.#marks[shard] = outlet.sentMark
  }

  /** The lane to a shard is another one: what was told on the last one is over. */
  forgetTold(shard: number): void {
    this.#told[shard] = undefined
  }

  /** Whether there is one to a key, or to every key. */
  mayConcern(hash: number, shard: number): boolean {
    return this.#byCell[cellOf(hash)]! > 0 || this.#byCell[WHOLE]! > 0 || this.#isToldPending(shard)
  }

  /** Whether there is one to a shard. */
  mayBeAt(shard: number): boolean {
    return this.#byShard[shard]! > 0 || this.#isToldPending(shard)
  }

  /** Whether a message without a reply may not be done. */
  #isToldPending(shard: number): boolean {
    const outlet = this.#told[shard]
    if (outlet === undefined) return false
    const isPending = !outlet.hasDone(this.#marks[shard]!)
    if (!isPending) this.#told[shard] = undefined
    return isPending
  }
}
