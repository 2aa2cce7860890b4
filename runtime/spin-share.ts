/**
 * How long it pays to look for an answer before sleeping.
 *
 * Looking is faster than being woken, if whoever answers runs meanwhile. Where cores are short, it may be waiting for this very
 * core, and looking only keeps it off. A thread cannot see which is the case, so it goes by what its last looks came to:
 * one that was in vain halves the next, one that was not doubles it.
 *
 * Short looks may all be in vain where long ones would not: a single message that goes from thread to thread, each of them woken
 * by the one before, takes longer than any of the short ones. So, while messages come one at a time, long looks are tried now and
 * then, and kept if they pay off: several, because the kernel lets a thread that begins to spin keep its core for a while before
 * one that wakes up gets it. Not while messages come in batches: there the work that others do meanwhile counts, and not the time of one.
 */
const LEAST = 1 / 64

/** Long looks of a trial. */
const TRIES = 8

/** Looks in vain before a trial; twice as many after each that was in vain too, up to the greatest. */
const TRIAL_GAP = 16
const GREATEST_TRIAL_GAP = 1024

export class SpinShare {
  #share = 1
  /** What is left of a trial. */
  #tries = 0
  #gap = TRIAL_GAP
  #inVain = 0

  /** The part of the longest look that is worth while. */
  get share(): number {
    return this.#share
  }

  /** Something came after it was looked for. Not what had come before the first look: that says nothing. */
  paidOff(): void {
    if (this.#share < 1) this.#share *= 2
    else this.#endTrial(TRIAL_GAP)
  }

  /**
   * Nothing came, and the thread goes to sleep.
   *
   * @param single whether what is awaited, or came last, is a single message
   */
  wasInVain(single: boolean): void {
    if (this.#tries > 0) {
      if (--this.#tries > 0) return
      this.#share = LEAST
      this.#endTrial(Math.min(this.#gap * 2, GREATEST_TRIAL_GAP))
    } else if (this.#share > LEAST) {
      this.#share /= 2
    } else if (single && ++this.#inVain > this.#gap) {
      this.#tries = TRIES
      this.#share = 1
    }
  }

  #endTrial(gap: number): void {
    this.#tries = 0
    this.#inVain = 0
    this.#gap = gap
  }
}
