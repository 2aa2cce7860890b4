/**
 * How many functions run at a time on one thread of the pool. A function that waits for an answer of a cache holds no slot, so that
 * what it waits for can run. While a call is there that has to run alone there is one slot.
 */

/** What holds a slot, or waits to hold one again. */
export interface SlotUser {
  /** It needs none any more. */
  readonly over: boolean
  /** It waits for an answer, of which it may have several. */
  readonly waiting: boolean
  holdsSlot: boolean
}

export class FunctionSlots {
  readonly #concurrency: number
  readonly #onFree: () => void
  readonly #resuming: { user: SlotUser; resume: () => void }[] = []
  #held = 0
  #alone = 0

  /** `onFree`: a slot is free that nobody waits for. */
  constructor(concurrency: number, onFree: () => void) {
    this.#concurrency = concurrency
    this.#onFree = onFree
  }

  /** Whether a call can begin. */
  get isFree(): boolean {
    return this.#resuming.length === 0 && this.#held < (this.#alone > 0 ? 1 : this.#concurrency)
  }

  /** Whether a call is there that runs alone. */
  get isAlone(): boolean {
    return this.#alone > 0
  }

  /** Whether nobody holds one. */
  get none(): boolean {
    return this.#held === 0
  }

  /** From now on, and until `endAlone`, one at a time. */
  beginAlone(): void {
    this.#alone++
  }

  endAlone(): void {
    this.#alone--
  }

  /** Begins a call; whoever asks has seen that it can. */
  take(user: SlotUser): void {
    user.holdsSlot = true
    this.#held++
  }

  /** Gives a slot back, if it is held. */
  release(user: SlotUser): void {
    if (!user.holdsSlot) return
    user.holdsSlot = false
    this.#held--
    this.#grant()
  }

  /** Resolves when the user holds a slot again, or needs none. Goes before calls that begin. */
  resume(user: SlotUser): Promise<void> {
    return new Promise((resume) => {
      this.#resuming.push({ user, resume })
      this.#grant()
    })
  }

  #grant(): void {
    while (this.#resuming.length > 0) {
      const { user, resume } = this.#resuming[0]!
      const needsNone = user.over || user.waiting || user.holdsSlot
      if (!needsNone && this.#held >= (this.#alone > 0 ? 1 : this.#concurrency)) return
      this.#resuming.shift()
      if (!needsNone) this.take(user)
      resume()
    }
    if (this.isFree) this.#onFree()
  }
}
