/**
 * How large W-TinyLFU's window is: moved by hill climbing on the hit ratio, as Gil Einziger, Ohad Eytan, Roy Friedman and Ben Manes
 * describe in "Adaptive Software Cache Management", Middleware 2018, with Caffeine's steps.
 *
 * A period of reads is compared with the one before. If it was better, the window goes on the same way, else back; steps get smaller,
 * until a jump of the hit ratio says that the load has changed.
 */

/** Of the capacity. */
const STEP_SHARE = 0.0625
const STEP_DECAY = 0.98
/** A change of the hit ratio that begins anew with whole steps. */
const RESTART_CHANGE = 0.05
/** Reads of a period, for each entry of the capacity. */
const PERIOD = 10
/** Fewer reads than this say nothing about a ratio. */
const MIN_PERIOD = 3000

export class WindowClimber {
  #hits = 0
  #misses = 0
  #previousRatio = 0
  #step = 0
  /** The part of a step that was less than an entry. */
  #rest = 0

  hit(): void {
    this.#hits++
  }

  miss(): void {
    this.#misses++
  }

  /** By how many entries the window is to grow now; below 0 to shrink. */
  adjustment(capacity: number): number {
    const reads = this.#hits + this.#misses
    if (reads < Math.max(PERIOD * capacity, MIN_PERIOD)) return 0
    const ratio = this.#hits / reads
    const change = ratio - this.#previousRatio
    const whole = capacity * STEP_SHARE
    // Twice the variance of a ratio of so many independent reads: less than a standard deviation of the difference says nothing.
    const noise = Math.sqrt(2 * ratio * (1 - ratio) / reads)
    const step = this.#step === 0 ? whole : Math.abs(change) < noise ? -Math.abs(this.#step) : change > 0 ? this.#step : -this.#step
    this.#step = Math.abs(change) >= RESTART_CHANGE ? Math.sign(step) * whole : step * STEP_DECAY
    this.#previousRatio = ratio
    this.#hits = this.#misses = 0
    this.#rest += step
    const entries = Math.trunc(this.#rest)
    this.#rest -= entries
    return entries
  }

  clear(): void {
    this.#hits = this.#misses = this.#previousRatio = this.#step = this.#rest = 0
  }
}
