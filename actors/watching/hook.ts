/**
 * One hook: its function is called for one notice after the other, never for two at a time, and what it returns is the state that it is
 * called with next. A call that fails changes nothing.
 */
import { errorCode, printable } from '../../runtime/errors.js'
import type { HookConfig } from './hook-options.js'
import type { Notice } from './notice.js'
import { isIn, setOf, type WatchedSet } from './watched-actions.js'

/** Notices of one hook that may wait. What comes on top of them is dropped, and counted. */
const MAX_WAITING = 65_536
const MAX_WAITING_BYTES = 64 << 20

/** How a hook is doing. */
export interface HookReport {
  name: string
  /** Calls that have returned, and calls that failed. */
  calls: number
  failures: number
  /** Notices that wait for their turn, and those that were dropped because too many waited. */
  waiting: number
  dropped: number
}

/** Calls the function of a hook. Resolves with the next state, encoded; `undefined` if it is to stay as it was. */
export type RunHook = (config: HookConfig, notice: Notice, state: Uint8Array) => Promise<Uint8Array | undefined>

interface Waiting {
  /** `undefined`: start again from the first state. */
  readonly notice: Notice | undefined
  readonly done: (() => void) | undefined
}

export class Hook {
  readonly config: HookConfig
  readonly watched: WatchedSet
  readonly #run: RunHook
  #state: Uint8Array
  #waiting: Waiting[] = []
  /** What is before this has been taken. */
  #head = 0
  #waitingBytes = 0
  #calls = 0
  #failures = 0
  #dropped = 0
  #atWork: Promise<void> | undefined

  constructor(config: HookConfig, run: RunHook) {
    this.config = config
    this.watched = setOf(config.actions)
    this.#run = run
    this.#state = config.state
  }

  /** Whether it wants a notice. */
  wants({ number, isBefore }: Notice): boolean {
    return isBefore === (this.config.when === 'before') && isIn(this.watched, number)
  }

  /** Has its turn. `done` is called when the function has returned, or will not be called for it. */
  take(notice: Notice, done?: () => void): void {
    if (this.#waiting.length - this.#head >= MAX_WAITING || this.#waitingBytes >= MAX_WAITING_BYTES) {
      this.#dropped++
      return done?.()
    }
    this.#waitingBytes += notice.message.length + notice.result.length
    this.#put({ notice, done })
  }

  /** Starts again from the first state, behind what waits. */
  reset(done: () => void): void {
    this.#put({ notice: undefined, done })
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    while (this.#atWork !== undefined) await this.#atWork
  }

  report(): HookReport {
    return { name: this.config.name, calls: this.#calls, failures: this.#failures, waiting: this.#waiting.length - this.#head, dropped: this.#dropped }
  }

  #put(waiting: Waiting): void {
    this.#waiting.push(waiting)
    this.#atWork ??= this.#work().finally(() => (this.#atWork = undefined))
  }

  async #work(): Promise<void> {
    for (let next; (next = this.#shift()) !== undefined;) {
      const { notice, done } = next
      if (notice === undefined) this.#state = this.config.state
      else await this.#call(notice)
      done?.()
    }
  }

  async #call(notice: Notice): Promise<void> {
    try {
      this.#state = await this.#run(this.config, notice, this.#state) ?? this.#state
      this.#calls++
    } catch (error) {
      this.#failures++
      // Once: it may fail a million times.
      if (this.#failures > 1 || errorCode(error) === 'ERR_STOPPED') return
      process.emitWarning(`the hook '${this.config.name}' failed: ${printable(error)}`, { code: 'SCATTERHOARD_HOOK_FAILED' })
    }
  }

  #shift(): Waiting | undefined {
    const next = this.#waiting[this.#head]
    if (next === undefined) return undefined
    this.#head++
    if (next.notice !== undefined) this.#waitingBytes -= next.notice.message.length + next.notice.result.length
    // Not each time: it moves all that is behind.
    if (this.#head > 1024 && this.#head > this.#waiting.length >> 1) {
      this.#waiting = this.#waiting.slice(this.#head)
      this.#head = 0
    }
    return next
  }
}
