/** Asks that wait for their answers: one of them, and all of a lane's by their sequence numbers. On the client's thread. */

/** Sequence numbers wrap here: small integers on every platform. */
export const SEQ_MASK = 0x3fff_ffff

/** One ask that has not been settled. Settles exactly once. */
export class Pending {
  readonly promise: Promise<unknown>
  resolve!: (value: unknown) => void
  reject!: (error: unknown) => void
  /** Monotonic milliseconds at which it fails with `ERR_TIMEOUT`. */
  readonly deadlineMs: number
  readonly timeoutMs: number
  /** Called once when the actor has answered, or never will: later than it settles if it timed out. */
  onAnswered: ((tag: number) => void) | undefined
  /** The caller's own; passed to `onAnswered`. */
  tag = 0
  /** Its number on the lane, once it is written. */
  seq = 0
  pieces: Buffer[] | undefined
  settled = false
  /** The bytes written to the lane up to the end of its frame, once it is written. */
  position = 0
  written = false
  signal: AbortSignal | undefined
  onAbort: (() => void) | undefined

  constructor(deadlineMs: number, timeoutMs: number) {
    this.deadlineMs = deadlineMs
    this.timeoutMs = timeoutMs
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }

  answered(): void {
    this.onAnswered?.(this.tag)
    this.onAnswered = undefined
  }

  settle(error: unknown, value: unknown): void {
    if (this.settled) return
    this.settled = true
    if (this.onAbort !== undefined) this.signal?.removeEventListener('abort', this.onAbort)
    if (error === undefined) this.resolve(value)
    else this.reject(error)
  }
}

/** The asks that are written and not answered, those that were given up meanwhile included. */
export class PendingAsks {
  /** At its sequence number, modulo the length: a power of two, and at least twice the count. */
  #asks: (Pending | undefined)[] = new Array<undefined>(256).fill(undefined)
  #count = 0
  #nextSeq = 0
  /** Those that were given up: their replies are still to come. */
  #abandoned = 0

  get count(): number {
    return this.#count
  }

  /** How many of them somebody waits for. */
  get awaited(): number {
    return this.#count - this.#abandoned
  }

  /** Takes up an ask that is being written, and returns its number: 0 … 2^30, wrapping. */
  add(pending: Pending): number {
    if (this.#count >= this.#asks.length >> 1) this.#grow()
    let seq = this.#nextSeq
    while (this.#asks[seq & (this.#asks.length - 1)] !== undefined) seq = (seq + 1) & SEQ_MASK
    this.#nextSeq = (seq + 1) & SEQ_MASK
    this.#asks[seq & (this.#asks.length - 1)] = pending
    this.#count++
    pending.seq = seq
    pending.written = true
    return seq
  }

  /** The ask with a number, if there is one. */
  find(seq: number): Pending | undefined {
    const pending = this.#asks[seq & (this.#asks.length - 1)]
    return pending?.seq === seq ? pending : undefined
  }

  /** Nothing more will come for it: its number is free. */
  remove(pending: Pending): void {
    this.#asks[pending.seq & (this.#asks.length - 1)] = undefined
    this.#count--
    if (pending.settled) this.#abandoned--
    pending.answered()
  }

  /** Nobody waits for it any more. Its reply, if it was sent, will come late. */
  giveUp(pending: Pending, error: unknown): void {
    if (pending.written && !pending.settled) this.#abandoned++
    pending.settle(error, undefined)
    pending.pieces = undefined
  }

  /** Visits all of them; those visited may be removed. */
  each(visit: (pending: Pending) => void): void {
    for (const pending of this.#asks) {
      if (pending !== undefined) visit(pending)
    }
  }

  /** Visits those that somebody waits for. */
  eachAwaited(visit: (pending: Pending) => void): void {
    for (const pending of this.#asks) {
      if (pending?.settled === false) visit(pending)
    }
  }

  /** No answer will come any more. Fails those that somebody waits for, each with its own error. */
  failAll(errorOf: (pending: Pending) => unknown): void {
    const asks = this.#asks
    this.#asks = []
    this.#count = this.#abandoned = 0
    for (const pending of asks) {
      if (pending === undefined) continue
      pending.answered()
      pending.settle(errorOf(pending), undefined)
    }
  }

  #grow(): void {
    const old = this.#asks
    this.#asks = new Array<undefined>(old.length * 2).fill(undefined)
    for (const pending of old) {
      if (pending !== undefined) this.#asks[pending.seq & (this.#asks.length - 1)] = pending
    }
  }
}
