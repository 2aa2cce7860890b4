/**
 * The times of a shard's writes: the clock's, moved on by the smallest step where two would be the same, so that what was
 * written later is later. They stay within the clock's millisecond, also where the clock stands still.
 */
import type { NodeClock } from '../../runtime/clock.js'
import { FRACTIONS } from '../../runtime/table/layout.js'

const STEP = 1 / FRACTIONS

export class WriteClock {
  readonly #clock: Pick<NodeClock, 'now'>
  #last = 0

  constructor(clock: Pick<NodeClock, 'now'>) {
    this.#clock = clock
  }

  /** The time of a write, in milliseconds since 1970, with a fraction of 12 bits. */
  next(): number {
    const now = Math.floor(this.#clock.now() * FRACTIONS) / FRACTIONS
    const ms = Math.floor(now)
    if (now <= this.#last && ms === Math.floor(this.#last)) this.#last = Math.min(this.#last + STEP, ms + 1 - STEP)
    else this.#last = now
    return this.#last
  }
}
