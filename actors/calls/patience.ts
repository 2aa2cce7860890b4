/**
 * How long a call goes on that takes many steps. A `timeout` that the caller gave bounds all of it, or each step; without one each
 * message has the default of a single call, and the whole takes as long as it takes. A signal ends it at the next step.
 */
import { readTimeout } from '../../runtime/actor.js'
import { monotonicMs } from '../../runtime/clock.js'
import { CacheError } from '../../runtime/errors.js'
import type { CallOptions } from '../action.js'

export class Patience {
  readonly #signal: AbortSignal | undefined
  readonly #timeoutMs: number | undefined
  readonly #untilMs: number

  private constructor({ timeout, signal }: CallOptions, forAll: boolean) {
    this.#signal = signal
    this.#timeoutMs = timeout === undefined ? undefined : readTimeout({ timeout })
    this.#untilMs = this.#timeoutMs === undefined || !forAll ? Infinity : monotonicMs() + this.#timeoutMs
  }

  /** The timeout is for the whole. */
  static ofAll(options: CallOptions | undefined): Patience {
    return new Patience(options ?? {}, true)
  }

  /** The timeout is for each step. */
  static ofSteps(options: CallOptions | undefined): Patience {
    return new Patience(options ?? {}, false)
  }

  /** Throws the signal's reason if it is aborted, and `ERR_TIMEOUT` when the time is over. */
  check(): void {
    if (this.#signal?.aborted === true) throw this.#signal.reason
    if (this.#untilMs !== Infinity && monotonicMs() >= this.#untilMs) {
      throw new CacheError('ERR_TIMEOUT', `it was not through within ${this.#timeoutMs} ms; give a longer timeout, or none`, { timeout: this.#timeoutMs })
    }
  }

  /** The options of the next message. */
  get step(): CallOptions {
    return { signal: this.#signal, timeout: this.#untilMs === Infinity ? this.#timeoutMs : Math.max(0, this.#untilMs - monotonicMs()) }
  }
}
