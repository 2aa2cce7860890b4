/**
 * How long it pays to look for an answer before sleeping.
 *
 * Looking is faster than being woken, if whoever answers runs meanwhile. Where cores are short, it may be waiting for this very
 * core, and looking only keeps it off. A thread cannot see which is the case, so it goes by what its last looks came to:
 * one that was in vain halves the next, one that was not doubles it.
 */
const LEAST = 1 / 64

export class SpinShare {
  #share = 1

  /** The part of the longest look that is worth while. */
  get share(): number {
    return this.#share
  }

  /** Something came after it was looked for. Not what had come before the first look: that says nothing. */
  paidOff(): void {
    if (this.#share < 1) this.#share *= 2
  }

  /** Nothing came, and the thread goes to sleep. */
  wasInVain(): void {
    if (this.#share > LEAST) this.#share /= 2
  }
}
