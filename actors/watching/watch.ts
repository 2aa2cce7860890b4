/**
 * A thread's way to the hooks of a cache: what is watched, and how notices get there. One for each handle.
 *
 * Nothing here waits for a hook unless the hook is synchronous, and nothing that goes wrong on the way reaches the caller: what the cache
 * was asked to do is done all the same.
 */
import type { AskOptions } from '../../runtime/actor.js'
import type { Client } from '../../runtime/client.js'
import { monotonicMs } from '../../runtime/clock.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import { encodeValue } from '../../runtime/codec/value.js'
import type { Outlet } from '../../runtime/mailbox/outlet.js'
import { currentScope } from '../functions/call-scope.js'
import { hooksAddress } from './hooks-address.js'
import { BEFORE_BIT, writeNotice } from './notice.js'
import { AFTER, AFTER_SYNC, BEFORE, BEFORE_SYNC, countDropped, isWatched } from './watch-words.js'
import { EXPIRED } from './watched-actions.js'

export class Watch {
  readonly words: Int32Array
  /**
   * What calls of this handle wait for before they begin: synchronous hooks before an earlier call, and subscriptions that are being made. `undefined`
   * for nothing.
   */
  gate: Promise<void> | undefined
  readonly #client: Client
  readonly #cacheId: string
  readonly #scratch = new Scratch(256)
  #outlet: Outlet | undefined

  constructor(client: Client, cacheId: string, buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer)
    this.#client = client
    this.#cacheId = cacheId
  }

  /** Whether a call has to be told of, or has to wait. */
  concerns(number: number): boolean {
    return this.gate !== undefined || this.isWatched(number)
  }

  /** Whether a call has to be told of. */
  isWatched(number: number): boolean {
    return isWatched(this.words, BEFORE, number) || isWatched(this.words, AFTER, number)
  }

  isTold(number: number, isBefore: boolean): boolean {
    return isWatched(this.words, isBefore ? BEFORE : AFTER, number)
  }

  /** Whether the caller has to wait for a hook before the call. */
  isAwaitedBefore(number: number): boolean {
    return isWatched(this.words, BEFORE_SYNC, number)
  }

  isAwaitedAfter(number: number): boolean {
    return isWatched(this.words, AFTER_SYNC, number)
  }

  /** Whether somebody wants to hear of entries whose time has come when they are met. */
  get hearsOfExpiry(): boolean {
    return this.isTold(EXPIRED, false)
  }

  /** Lets later calls of this handle wait. */
  hold(until: Promise<unknown>): void {
    const before = this.gate
    const gate = Promise.allSettled([before, until]).then(() => {
      if (this.gate === gate) this.gate = undefined
    })
    this.gate = gate
  }

  /** Sends a notice to whoever is told of it, and resolves when the synchronous hooks among them have returned, or at `untilMs` (monotonic). */
  async announce(number: number, isBefore: boolean, message: Uint8Array, result: Uint8Array, at: number, untilMs: number, signal: AskOptions['signal']): Promise<void> {
    if (isBefore ? this.isAwaitedBefore(number) : this.isAwaitedAfter(number)) await this.tellAndWait(number, isBefore, message, result, at, untilMs, signal)
    else if (this.isTold(number, isBefore)) this.tell(number, isBefore, message, result, at)
  }

  /** Sends a notice. `result`: encoded. Nobody waits for it. */
  tell(number: number, isBefore: boolean, message: Uint8Array, result: Uint8Array, at: number): void {
    try {
      const [a, b] = writeNotice(message, result, at, this.#scratch)
      if (this.#open().tell(number | (isBefore ? BEFORE_BIT : 0), this.#scratch, a, b, 8)) return
    } catch {
      // The cache has stopped.
    }
    countDropped(this.words)
  }

  /** Sends a notice, and resolves when the synchronous hooks have returned, or when the caller has waited long enough. */
  async tellAndWait(number: number, isBefore: boolean, message: Uint8Array, result: Uint8Array, at: number, untilMs: number, signal: AskOptions['signal']): Promise<void> {
    const nowMs = monotonicMs()
    if (untilMs <= nowMs || signal?.aborted === true) return this.tell(number, isBefore, message, result, at)
    try {
      const [a, b] = writeNotice(message, result, at, this.#scratch)
      const answered = this.#open().ask(number | (isBefore ? BEFORE_BIT : 0), this.#scratch, a, b, 8, nowMs, untilMs - nowMs, signal).promise
      // A function that waits holds no slot of its thread: the hook may need one.
      await (currentScope()?.wait(answered) ?? answered)
    } catch {
      // Its time is up, the hooks' actor died, or the cache has stopped: the call does not depend on it.
    }
  }

  /** Asks the hooks' actor something that is not a notice. */
  async ask(code: number, data: unknown, timeoutMs: number, signal: AskOptions['signal']): Promise<unknown> {
    this.#scratch.reset()
    if (data !== undefined) encodeValue(data, this.#scratch)
    return this.#open().ask(code, this.#scratch, this.#scratch.end, 0, 0, monotonicMs(), timeoutMs, signal).promise
  }

  #open(): Outlet {
    if (this.#outlet === undefined || this.#outlet.isClosed) this.#outlet = this.#client.outlet(hooksAddress(this.#cacheId))
    return this.#outlet
  }
}
