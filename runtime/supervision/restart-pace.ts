/**
 * How often and how soon a supervisor restarts: the limit on restarts within a window of time, which is OTP's,
 * and the delay between restarts, which OTP lacks. No timers of its own: both are told the time.
 */
import type { Backoff } from './supervisor-spec.js'

/** What both need to know of a failure. */
export interface Failure {
  /** What died. A death counts once, however many failures it caused. */
  readonly death: object
  /** False: does not count against the limit and does not lengthen the delay. */
  readonly counts: boolean
}

/** At most `maxRestarts` restarts within any `withinMs`. */
export class RestartIntensity {
  readonly #maxRestarts: number
  readonly #withinMs: number
  readonly #deaths = new WeakSet<object>()
  #timesMs: number[] = []

  constructor(maxRestarts: number, withinMs: number) {
    this.#maxRestarts = maxRestarts
    this.#withinMs = withinMs
  }

  /** Counts one more restart, and tells whether it is within the limit. */
  allows(failure: Failure, nowMs: number): boolean {
    if (!failure.counts || this.#deaths.has(failure.death)) return true
    this.#deaths.add(failure.death)
    this.#timesMs = this.#timesMs.filter((timeMs) => nowMs - timeMs <= this.#withinMs)
    this.#timesMs.push(nowMs)
    return this.#timesMs.length <= this.#maxRestarts
  }
}

/** The delays of one child, or of a group of children that restart together. */
export class RestartDelay {
  readonly #backoff: Backoff
  #failuresInARow = 0
  #sinceMs = -Infinity
  #lastDeath: object | undefined
  #lastDelayMs = 0

  constructor(backoff: Backoff) {
    this.#backoff = backoff
  }

  /** Failures since the last quiet while. */
  get failuresInARow(): number {
    return this.#failuresInARow
  }

  /** Something was started: from now it may be quiet. */
  started(nowMs: number): void {
    this.#sinceMs = nowMs
  }

  /** How long to wait before the restart that `failure` asks for. */
  next(failure: Failure, nowMs: number, random: () => number): number {
    const { firstMs, thenMs, factor, maxMs, jitter, resetAfterMs } = this.#backoff
    if (!failure.counts) return Math.min(firstMs, maxMs)
    if (failure.death === this.#lastDeath) return this.#lastDelayMs
    if (nowMs - this.#sinceMs >= resetAfterMs) this.#failuresInARow = 0
    this.#sinceMs = nowMs
    this.#lastDeath = failure.death
    const before = this.#failuresInARow++
    const fullMs = Math.min(maxMs, before === 0 ? firstMs : thenMs * Math.min(factor ** (before - 1), Number.MAX_VALUE))
    this.#lastDelayMs = fullMs * (1 - jitter * random())
    return this.#lastDelayMs
  }
}
