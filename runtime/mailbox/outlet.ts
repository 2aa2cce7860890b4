/**
 * A client thread's end of a lane: sends requests, lets them wait where there is no room, and fails what is overdue.
 *
 * One for each actor that the thread talks to. Everything here runs on the client's thread. A request is a
 * code and up to three sections of bytes, already encoded at the start of a scratch buffer.
 */
import type { Scratch } from '../codec/scratch.js'
import { deadlineMsWord, monotonicMs } from '../clock.js'
import { CacheError } from '../errors.js'
import type { Bell } from './bell.js'
import { FLAG_LARGE, FLAG_NO_DEADLINE, FLAG_TELL, type MailboxBounds } from './lane.js'
import { Pending, PendingAsks, SEQ_MASK } from './pending.js'
import { Replies, type Answerer } from './replies.js'
import { LARGE_ID_BYTES, NO_SEQ, RequestRing } from './request-ring.js'
import { WaitingSends, type WaitingSend } from './waiting-sends.js'

/** What a lane needs from its surroundings. */
export interface LaneOwner extends Answerer {
  /** A send or a reply is outstanding from now on: poll. */
  wake(): void
  /** Makes the body of a large request known to the actor's host. */
  handOver(largeId: number, body: SharedArrayBuffer): Promise<void>
}

export class Outlet {
  readonly owner: LaneOwner
  /** Messages refused or dropped because the lane was full. */
  refused = 0
  dropped = 0

  readonly #bounds: MailboxBounds
  readonly #asks = new PendingAsks()
  readonly #waiting: WaitingSends
  /** The two rings, once the lane is open. */
  #requests: RequestRing | undefined
  #replies: Replies | undefined
  /** The first of those that wait has a body beyond the ring, which is on its way to the host. */
  #handingOver = false
  #largeId = 0
  /** No unsettled ask is overdue before this. A lower bound: `expire` makes it exact. */
  #earliestMs = Infinity
  #closed: CacheError | undefined

  constructor(owner: LaneOwner, bounds: MailboxBounds) {
    this.owner = owner
    this.#bounds = bounds
    this.#waiting = new WaitingSends(bounds)
  }

  /** Asks whose reply has not come, and sends that wait for room or for the lane. */
  get outstanding(): number {
    return this.#asks.count + this.#waiting.count
  }

  /** Sends that wait for room or for the lane. */
  get waitingCount(): number {
    return this.#waiting.count
  }

  /** Whether it takes nothing any more. */
  get isClosed(): boolean {
    if (this.#closed === undefined && this.#requests?.seemsClosed === true) this.poll()
    return this.#closed !== undefined
  }

  /** A mark behind everything sent so far, for `hasDone`. */
  get sentMark(): number {
    return ((this.#requests?.sentCount ?? 0) + this.#waiting.count) | 0
  }

  /** Whether everything before a mark has been done, or dropped with a lane that closed. */
  hasDone(mark: number): boolean {
    if (this.#closed !== undefined) return true
    const requests = this.#requests
    if (requests === undefined) return false
    // What was given up while it waited has a number and is never sent: with nothing left, all is done.
    return (this.#waiting.count === 0 && requests.isEmpty) || requests.hasDone(mark)
  }

  /** Takes up the lane that the node opened. What was sent before waits and goes first. */
  open(lane: SharedArrayBuffer, bell: Bell): void {
    this.#requests = new RequestRing(lane, bell)
    this.#replies = new Replies(lane, this.#asks, this.#requests, this.owner)
    this.#waiting.opened(this.#requests.largestBody)
    if (this.#closed === undefined) this.#flushWaiting(this.#requests)
  }

  /** Fails everything outstanding, and every later send, with `error`. */
  close(error: CacheError): void {
    if (this.#closed !== undefined) return
    this.#closed = error
    this.#waiting.failAll(error)
    this.poll()
    const taken = this.#requests?.bytesTaken ?? 0
    this.#asks.failAll(({ position }) => position <= taken ? withOutcome(error, 'unknown') : error)
  }

  /**
   * Sends an ask whose sections stand in `scratch` from 0: a bytes, b bytes, c bytes.
   * Throws what fails at once: `ERR_MAILBOX_FULL`, `ERR_STOPPED`, an aborted signal's reason.
   */
  ask(code: number, scratch: Scratch, a: number, b: number, c: number, nowMs: number, timeoutMs: number, signal?: AbortSignal): Pending {
    // What came while nobody waited is read before positions can have wrapped.
    if (this.#asks.count === 0) this.poll()
    const requests = this.#openRequests()
    if (signal?.aborted === true) throw signal.reason
    const pending = new Pending(nowMs + timeoutMs, timeoutMs)
    if (pending.deadlineMs < this.#earliestMs) this.#earliestMs = pending.deadlineMs
    const deadline = deadlineMsWord(pending.deadlineMs)
    if (requests === undefined || this.#waiting.count > 0 || !requests.fits(a + b + c)) {
      this.#defer(pending, code, 0, deadline, scratch, a, b, c)
    } else {
      pending.position = requests.write(this.#asks.add(pending), code, 0, deadline, scratch.bytes, scratch.words, a, b, c)
    }
    if (signal !== undefined) this.#watch(pending, signal)
    this.owner.wake()
    return pending
  }

  /** Sends without a reply. False, and counted, if there is no room. */
  tell(code: number, scratch: Scratch, a: number, b: number, c: number): boolean {
    const requests = this.#openRequests()
    const flags = FLAG_TELL | FLAG_NO_DEADLINE
    const length = a + b + c
    if (requests === undefined || this.#waiting.count > 0 || !requests.fits(length)) {
      if (this.#waiting.waitsForRoom(length) || this.#waiting.count >= this.#bounds.messages || !this.#waiting.mayWait(length)) {
        this.dropped++
        return false
      }
      this.#defer(undefined, code, flags, 0, scratch, a, b, c)
      this.owner.wake()
      return true
    }
    requests.write(NO_SEQ, code, flags, 0, scratch.bytes, scratch.words, a, b, c)
    return true
  }

  /** Settles the replies that have come and sends what waits for room. True if anything moved. */
  poll(): boolean {
    const requests = this.#requests
    if (requests === undefined) return false
    let moved = this.#replies!.receive()
    if (moved && this.#asks.count > 0) requests.wakeConsumer()
    if (this.#waiting.count > 0) moved = this.#flushWaiting(requests) || moved
    if (requests.isClosed && this.#closed === undefined) {
      this.close(new CacheError('ERR_STOPPED', `${this.owner.label} has stopped`))
      moved = true
    }
    return moved
  }

  /** Fails what is overdue. Returns the earliest deadline of what is left, or Infinity. */
  expire(nowMs: number): number {
    if (this.#asks.awaited === 0 && this.#waiting.count === 0) return Infinity
    if (nowMs < this.#earliestMs) return this.#earliestMs
    let earliest = Infinity
    const check = (pending: Pending): void => {
      if (pending.deadlineMs > nowMs) earliest = Math.min(earliest, pending.deadlineMs)
      else this.#asks.giveUp(pending, this.#timeoutError(pending))
    }
    this.#asks.eachAwaited(check)
    this.#waiting.eachAwaited(check)
    if (!this.#handingOver) this.#waiting.dropSettled()
    this.#earliestMs = earliest
    return earliest
  }

  /** The ring, if the lane is open already. Throws if nothing is taken any more. */
  #openRequests(): RequestRing | undefined {
    const requests = this.#requests
    if (this.#closed === undefined && requests?.seemsClosed === true) this.poll()
    if (this.#closed !== undefined) throw this.#closed
    return requests
  }

  #timeoutError(pending: Pending): CacheError {
    const where = pending.written ? 'it may still be carried out' : 'it was never sent, the mailbox was full all the while'
    return new CacheError('ERR_TIMEOUT', `no answer from ${this.owner.label} within ${pending.timeoutMs} ms: ${where}; give a longer timeout or send less at a time`, {
      outcome: pending.written ? 'unknown' : 'none', timeout: pending.timeoutMs,
    })
  }

  #watch(pending: Pending, signal: AbortSignal): void {
    pending.signal = signal
    pending.onAbort = () => {
      this.#asks.giveUp(pending, signal.reason)
      // What is left is looked at again, so that an ask that was given up does not keep the process alive.
      this.#earliestMs = -Infinity
      this.owner.wake()
    }
    signal.addEventListener('abort', pending.onAbort, { once: true })
  }

  #defer(pending: Pending | undefined, code: number, flags: number, deadline: number, scratch: Scratch, a: number, b: number, c: number): void {
    const length = a + b + c
    if ((this.#bounds.overflow === 'reject' && this.#waiting.waitsForRoom(length)) || !this.#waiting.mayWait(length)) {
      this.refused++
      throw new CacheError('ERR_MAILBOX_FULL', `the mailbox of ${this.owner.label} is full; wait for earlier calls before you send more, or raise the mailbox bounds`)
    }
    this.#waiting.push({ pending, body: Buffer.from(scratch.bytes.subarray(0, length)), code, flags, deadline, a, b, c })
  }

  /** Writes what waits, in order, as far as there is room. True if anything was written. */
  #flushWaiting(requests: RequestRing): boolean {
    const waiting = this.#waiting
    let moved = false
    for (let send = waiting.first; send !== undefined && !this.#handingOver; send = waiting.first) {
      if (send.pending?.settled !== true) {
        const isLarge = waiting.isLarge(send.body.length)
        if (!requests.fits(isLarge ? LARGE_ID_BYTES : send.body.length)) break
        if (isLarge) {
          this.#handOver(requests, send)
          return true
        }
        this.#write(requests, send, send.flags, send.body)
      } else {
        send.pending.answered()
      }
      waiting.shift()
      moved = true
    }
    return moved
  }

  /** Writes the frame of what has waited: with its body, or with the number of one that was handed over. */
  #write(requests: RequestRing, { pending, code, deadline, a, b, c }: WaitingSend, flags: number, body: Buffer): void {
    const seq = pending === undefined ? NO_SEQ : this.#asks.add(pending)
    const position = requests.write(seq, code, flags, deadline, body, undefined, a, b, c)
    if (pending !== undefined) pending.position = position
  }

  /** A body beyond the ring goes to the host in a buffer of its own; its frame follows when it is there. */
  #handOver(requests: RequestRing, send: WaitingSend): void {
    this.#handingOver = true
    const { pending, body } = send
    const shared = new SharedArrayBuffer(body.length)
    Buffer.from(shared).set(body)
    const id = (this.#largeId = (this.#largeId + 1) & SEQ_MASK)
    const settled = (): void => {
      this.#handingOver = false
      if (this.#closed !== undefined) return
      this.#waiting.shift()
      this.#flushWaiting(requests)
      this.owner.wake()
    }
    this.owner.handOver(id, shared).then(() => {
      const idBytes = Buffer.alloc(LARGE_ID_BYTES)
      idBytes.writeInt32LE(id)
      if (this.#closed === undefined) {
        // Given up meanwhile: the host must hear all the same that the body is not wanted, and skips what is overdue. By far:
        // a host in a long batch goes by the time at which it began it.
        if (pending?.settled === true) {
          pending.answered()
          this.#write(requests, { ...send, pending: undefined, deadline: deadlineMsWord(monotonicMs() - LONG_AGO_MS) }, FLAG_TELL | FLAG_LARGE, idBytes)
        } else {
          this.#write(requests, send, send.flags | FLAG_LARGE, idBytes)
        }
      }
      settled()
    }, (error: unknown) => {
      if (pending === undefined) this.dropped++
      pending?.answered()
      pending?.settle(error, undefined)
      settled()
    })
  }
}

/** Overdue by every clock, and well within what deadlines can be compared over. */
const LONG_AGO_MS = 2 ** 30

function withOutcome(error: CacheError, outcome: 'unknown'): CacheError {
  return new CacheError(error.code, error.message, { cause: error.cause, outcome })
}
