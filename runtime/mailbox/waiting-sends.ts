/**
 * What a client has sent and not written into the ring yet: it waits for the lane to be opened, for room, or behind a body
 * that is being handed over. In order, and bounded.
 */
import type { MailboxBounds } from './lane.js'
import type { Pending } from './pending.js'

/** A request that waits: its body is a copy, for the scratch it was encoded in is used again. */
export interface WaitingSend {
  /** None of a tell. */
  readonly pending: Pending | undefined
  readonly body: Buffer
  readonly code: number
  readonly flags: number
  readonly deadline: number
  readonly a: number
  readonly b: number
  readonly c: number
}

/** Sends that wait for room hold at most so many bytes, or 64 times what the mailbox does; a single one may be larger. */
const MIN_WAITING_BYTES = 256 << 20

export class WaitingSends {
  readonly #bounds: MailboxBounds
  /** They stand from `#head`; what is before it is undefined. */
  #sends: (WaitingSend | undefined)[] = []
  #head = 0
  #bytes = 0
  /** The largest body that goes through the ring. Nobody knows before the lane is open. */
  #largestBody = Infinity
  #largeCount = 0

  constructor(bounds: MailboxBounds) {
    this.#bounds = bounds
  }

  get count(): number {
    return this.#sends.length - this.#head
  }

  get first(): WaitingSend | undefined {
    return this.#head < this.#sends.length ? this.#sends[this.#head] : undefined
  }

  /** The lane is open, and takes bodies up to `largestBody` bytes. */
  opened(largestBody: number): void {
    this.#largestBody = largestBody
    this.#measure()
  }

  /** Whether a body does not go through the ring. */
  isLarge(bodyBytes: number): boolean {
    return bodyBytes > this.#largestBody
  }

  /** Whether the mailbox is full for one that has to wait: it is not before the lane is open, nor behind a body that is being handed over. */
  waitsForRoom(bodyBytes: number): boolean {
    return this.#largestBody !== Infinity && this.#largeCount === 0 && !this.isLarge(bodyBytes)
  }

  /** Whether there is a place for one more. */
  mayWait(bodyBytes: number): boolean {
    const { waiting, bytes, messages } = this.#bounds
    // Before the lane is open, and while a body is handed over, nobody can tell that there is no room.
    const most = this.#largestBody === Infinity ? Math.max(waiting, messages) : this.isLarge(bodyBytes) ? Math.max(waiting, 1) : waiting
    return this.count < most && (this.#bytes === 0 || this.#bytes + bodyBytes <= Math.max(MIN_WAITING_BYTES, bytes * 64))
  }

  push(send: WaitingSend): void {
    const { length } = send.body
    this.#sends.push(send)
    this.#bytes += length
    if (this.isLarge(length)) this.#largeCount++
  }

  /** The first does not wait any more. */
  shift(): void {
    const { length } = this.#sends[this.#head]!.body
    this.#sends[this.#head++] = undefined
    this.#bytes -= length
    if (this.isLarge(length)) this.#largeCount--
    // Not each time: it moves all that is behind.
    if (this.#head === this.#sends.length) this.#sends = []
    else if (this.#head > 1024 && this.#head > this.#sends.length >> 1) this.#sends.splice(0, this.#head)
    else return
    this.#head = 0
  }

  /** Visits the asks among them that have not been given up. */
  eachAwaited(visit: (pending: Pending) => void): void {
    for (const send of this.#sends) {
      if (send?.pending?.settled === false) visit(send.pending)
    }
  }

  /** Takes out asks that were given up: they must not use up the bound of what may wait. */
  dropSettled(): void {
    this.#sends = this.#sends.filter((send) => {
      const settled = send?.pending?.settled === true
      if (settled) send.pending.answered()
      return send !== undefined && !settled
    })
    this.#head = 0
    this.#measure()
  }

  /** None of them will be written. Fails the asks. */
  failAll(error: unknown): void {
    const sends = this.#sends
    this.#sends = []
    this.#head = this.#bytes = this.#largeCount = 0
    for (const send of sends) {
      send?.pending?.answered()
      send?.pending?.settle(error, undefined)
    }
  }

  #measure(): void {
    this.#bytes = this.#largeCount = 0
    for (const send of this.#sends) {
      if (send === undefined) continue
      this.#bytes += send.body.length
      if (this.isLarge(send.body.length)) this.#largeCount++
    }
  }
}
