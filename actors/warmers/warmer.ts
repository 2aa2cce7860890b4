/** One warmer: runs one at a time, and again some time after it was through, if it has an interval. */
import { errorCode, printable } from '../../runtime/errors.js'
import type { WarmerConfig } from './warmer-options.js'

/** What a warmer needs of its surroundings. */
export interface WarmerSetting {
  /**
   * Calls the function, and puts what it returns.
   *
   * @param byItself whether nobody asked for this run, and one of the cache's nodes is enough for it
   */
  fill(config: WarmerConfig, byItself: boolean): Promise<void>
  /** Runs something after some time. Returns a cancel. */
  after(delayMs: number, run: () => void): () => void
}

export class Warmer {
  readonly config: WarmerConfig
  readonly #setting: WarmerSetting
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined
  #cancel = (): void => undefined
  #isStopped = false
  #hasFailed = false

  constructor(config: WarmerConfig, setting: WarmerSetting) {
    this.config = config
    this.#setting = setting
  }

  /** Runs it: now, or when the run that is under way is through. Those who wait for the same run get the same promise. */
  run(byItself = false): Promise<void> {
    if (this.#running === undefined) return this.#begin(byItself)
    return this.#next ??= this.#running.catch(() => undefined).then(() => {
      this.#next = undefined
      return this.#begin(byItself)
    })
  }

  /** Lets the next run begin when its interval is over. */
  schedule(): void {
    this.#cancel()
    const { intervalMs } = this.config
    if (intervalMs !== null && !this.#isStopped) this.#cancel = this.#setting.after(intervalMs, () => this.runUnheard(true))
  }

  /** A run that nobody waits for. */
  runUnheard(byItself = false): void {
    this.run(byItself).catch((error: unknown) => {
      // Once, until it succeeds again.
      if (this.#hasFailed || this.#isStopped || errorCode(error) === 'ERR_STOPPED') return
      this.#hasFailed = true
      process.emitWarning(`the warmer '${this.config.name}' failed: ${printable(error)}`, { code: 'SCATTERHOARD_WARMER_FAILED' })
    })
  }

  stop(): void {
    this.#isStopped = true
    this.#cancel()
  }

  #begin(byItself: boolean): Promise<void> {
    this.#cancel()
    return this.#running = this.#setting.fill(this.config, byItself).then(() => { this.#hasFailed = false }).finally(() => {
      this.#running = undefined
      this.schedule()
    })
  }
}
