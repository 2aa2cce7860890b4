/**
 * A client thread's end of a lane: writes requests, waits for room where there is none, and settles replies.
 *
 * One for each actor that the thread talks to. Everything here runs on the client's thread. A request is a
 * code and up to three sections of bytes, already encoded at the start of a scratch buffer.
 */
import { Scratch } from '../codec/scratch.js'
import { decodeValue } from '../codec/value.js'
import { deadlineMsWord, monotonicMs } from '../clock.js'
import { CacheError, reviveError, type ErrorDescription } from '../errors.js'
import type { Bell } from './bell.js'
import {
  CAPACITY, DONE, DONE_COUNT, FLAG_LARGE, FLAG_NO_DEADLINE, FLAG_TELL, HEADER_BYTES, LANE_STATE, MAX_BYTES,
  MAX_MESSAGES, REPLY_CAPACITY, REPLY_HEAD, REPLY_HEADER_BYTES, REPLY_TAIL, REQUEST_HEADER_BYTES, STATE, STATUS, TAIL,
  TAKEN, align8, countUnfinished, largestFrame, type MailboxBounds,
} from './lane.js'

/** What a lane needs from its surroundings. */
export interface LaneOwner {
  /** A send or a reply is outstanding from now on: poll. */
  wake(): void
  /** Counts a reply that nobody waits for any more. */
  lateReply(): void
  /** Makes the body of a large request known to the actor's host. */
  handOver(lane: Outlet, seq: number, body: SharedArrayBuffer): Promise<void>
  /** What an actor that crashed, timed out or stopped is called in errors. */
  readonly label: string
  readonly crashCode: 'ERR_SHARD_CRASHED' | 'ERR_ACTOR_CRASHED'
}

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

interface Deferred {
  readonly pending: Pending | undefined
  readonly body: Buffer
  readonly code: number
  readonly flags: number
  readonly deadline: number
  readonly a: number
  readonly b: number
  readonly c: number
}

export class Outlet {
  readonly owner: LaneOwner
  /** Messages refused or dropped because the lane was full. */
  refused = 0
  dropped = 0

  readonly #bounds: MailboxBounds
  #words: Int32Array = EMPTY_WORDS
  #ring: Int32Array = EMPTY_WORDS
  #ringBytes: Buffer = Buffer.alloc(0)
  #replies: Int32Array = EMPTY_WORDS
  #replyBytes: Buffer = Buffer.alloc(0)
  #mask = 0
  #replyMask = 0
  #maxBytes = 0
  #largest = 0
  #maxMessages = 0
  #bell: Bell | undefined
  #tail = 0
  /** Bytes written since the lane was opened. Unlike positions it does not wrap: an ask may be unanswered while the ring goes round. */
  #bytesWritten = 0
  #replyHead = 0
  /** As last seen; the truth is further on. */
  #done = 0
  #doneCount = 0
  #sentCount = 0
  #pending: (Pending | undefined)[] = new Array<undefined>(256).fill(undefined)
  #pendingCount = 0
  #seq = 0
  /** What is sent and not written yet, from `#waitingHead`; what is before it is undefined. */
  #waiting: (Deferred | undefined)[] = []
  #waitingHead = 0
  #waitingBytes = 0
  /** How many of those that wait have a body beyond the ring; the first may be on its way to the host. */
  #largeWaiting = 0
  #handingOver = false
  /** Asks that were written and given up: their replies are still to come. */
  #abandoned = 0
  /** No unsettled ask is overdue before this. A lower bound: `expire` makes it exact. */
  #earliestMs = Infinity
  #largeId = 0
  #closed: CacheError | undefined

  constructor(owner: LaneOwner, bounds: MailboxBounds) {
    this.owner = owner
    this.#bounds = bounds
  }

  /** Asks whose reply has not come, and sends that wait for room or for the lane. */
  get outstanding(): number {
    return this.#pendingCount + this.#waiting.length - this.#waitingHead
  }

  /** Whether it takes nothing any more. */
  get isClosed(): boolean {
    if (this.#closed === undefined && this.#words[STATE] === LANE_STATE.closed) this.poll()
    return this.#closed !== undefined
  }

  /** A mark behind everything sent so far, for `hasDone`. */
  get sentMark(): number {
    return (this.#sentCount + this.waitingCount) | 0
  }

  /** Whether everything before a mark has been done, or dropped with a lane that closed. */
  hasDone(mark: number): boolean {
    if (this.#closed !== undefined) return true
    if (this.#words === EMPTY_WORDS) return false
    // What was given up while it waited has a number and is never sent: with nothing left, all is done.
    if (Atomics.load(this.#words, DONE) === this.#tail && this.waitingCount === 0) return true
    return ((this.#words[DONE_COUNT]! - mark) | 0) >= 0
  }

  get waitingCount(): number {
    return this.#waiting.length - this.#waitingHead
  }

  get pendingCount(): number {
    return this.#pendingCount
  }

  /** Takes up the lane that the node opened. What was sent before waits and goes first. */
  open(lane: SharedArrayBuffer, bell: Bell): void {
    this.#words = new Int32Array(lane, 0, HEADER_BYTES >> 2)
    const capacity = this.#words[CAPACITY]!
    const replyCapacity = this.#words[REPLY_CAPACITY]!
    this.#ring = new Int32Array(lane, HEADER_BYTES, capacity >> 2)
    this.#ringBytes = Buffer.from(lane, HEADER_BYTES, capacity)
    this.#replies = new Int32Array(lane, HEADER_BYTES + capacity, replyCapacity >> 2)
    this.#replyBytes = Buffer.from(lane, HEADER_BYTES + capacity, replyCapacity)
    this.#mask = capacity - 1
    this.#replyMask = replyCapacity - 1
    this.#maxMessages = this.#words[MAX_MESSAGES]!
    this.#maxBytes = Math.min(this.#words[MAX_BYTES]!, capacity)
    this.#largest = largestFrame(capacity, this.#maxBytes)
    this.#bell = bell
    this.#tail = Atomics.load(this.#words, TAIL)
    this.#replyHead = Atomics.load(this.#words, REPLY_HEAD)
    this.#done = Atomics.load(this.#words, DONE)
    this.#doneCount = this.#words[DONE_COUNT]!
    this.#sentCount = (this.#doneCount + countUnfinished(lane)) | 0
    for (const deferred of this.#waiting) if (deferred !== undefined && this.#isLarge(deferred.body.length)) this.#largeWaiting++
    if (this.#closed === undefined) this.#flushWaiting()
  }

  /** Fails everything outstanding, and every later send, with `error`. */
  close(error: CacheError): void {
    if (this.#closed !== undefined) return
    this.#closed = error
    const waiting = this.#waiting
    this.#waiting = []
    this.#waitingHead = this.#waitingBytes = this.#largeWaiting = 0
    for (const deferred of waiting) {
      deferred?.pending?.answered()
      deferred?.pending?.settle(error, undefined)
    }
    if (this.#words !== EMPTY_WORDS) this.poll()
    const taken = this.#words === EMPTY_WORDS ? 0 : this.#bytesUpTo(Atomics.load(this.#words, TAKEN))
    for (const pending of this.#pending) {
      if (pending === undefined) continue
      const ran = pending.position <= taken
      pending.answered()
      pending.settle(ran ? withOutcome(error, 'unknown') : error, undefined)
    }
    this.#pending = []
    this.#pendingCount = this.#abandoned = 0
  }

  /**
   * Sends an ask whose sections stand in `scratch` from 0: a bytes, b bytes, c bytes.
   * Throws what fails at once: `ERR_MAILBOX_FULL`, `ERR_STOPPED`, an aborted signal's reason.
   */
  ask(code: number, scratch: Scratch, a: number, b: number, c: number, nowMs: number, timeoutMs: number, signal?: AbortSignal): Pending {
    // What came while nobody waited is read before positions can have wrapped.
    if (this.#pendingCount === 0) this.poll()
    this.#checkOpen()
    if (signal?.aborted === true) throw signal.reason
    const pending = new Pending(nowMs + timeoutMs, timeoutMs)
    if (pending.deadlineMs < this.#earliestMs) this.#earliestMs = pending.deadlineMs
    if (this.#waiting.length !== this.#waitingHead || !this.#fits(a + b + c)) {
      this.#defer(pending, code, 0, deadlineMsWord(pending.deadlineMs), scratch, a, b, c)
    } else {
      this.#write(pending, code, 0, deadlineMsWord(pending.deadlineMs), scratch.bytes, scratch.words, a, b, c)
    }
    if (signal !== undefined) this.#watch(pending, signal)
    this.owner.wake()
    return pending
  }

  /** Sends without a reply. False, and counted, if there is no room. */
  tell(code: number, scratch: Scratch, a: number, b: number, c: number): boolean {
    this.#checkOpen()
    const flags = FLAG_TELL | FLAG_NO_DEADLINE
    if (this.#waiting.length !== this.#waitingHead || !this.#fits(a + b + c)) {
      // On a lane that is still being opened, and behind a body that is being handed over, it is not the mailbox that is full.
      const queues = this.#words === EMPTY_WORDS || this.#largeWaiting > 0 || this.#isLarge(a + b + c)
      if (!queues || this.waitingCount >= this.#bounds.messages || !this.#mayWait(a + b + c)) {
        this.dropped++
        return false
      }
      this.#defer(undefined, code, flags, 0, scratch, a, b, c)
      this.owner.wake()
      return true
    }
    this.#write(undefined, code, flags, 0, scratch.bytes, scratch.words, a, b, c)
    return true
  }

  /** Settles the replies that have come and sends what waits for room. True if anything moved. */
  poll(): boolean {
    if (this.#words === EMPTY_WORDS) return false
    let moved = false
    const words = this.#words
    let tail = Atomics.load(words, REPLY_TAIL)
    while (tail !== this.#replyHead) {
      moved = true
      do this.#receive()
      while (tail !== this.#replyHead)
      Atomics.store(words, REPLY_HEAD, this.#replyHead)
      tail = Atomics.load(words, REPLY_TAIL)
    }
    // The actor may hold the rest of a long reply until there is room.
    if (moved && this.#pendingCount > 0) this.#bell!.ringIfAsleep()
    if (this.#waiting.length !== this.#waitingHead) moved = this.#flushWaiting() || moved
    if (Atomics.load(words, STATE) === LANE_STATE.closed && this.#closed === undefined) {
      this.close(new CacheError('ERR_STOPPED', `${this.owner.label} has stopped`))
      moved = true
    }
    return moved
  }

  /** Fails what is overdue. Returns the earliest deadline of what is left, or Infinity. */
  expire(nowMs: number): number {
    if (this.#pendingCount === this.#abandoned && this.#waiting.length === this.#waitingHead) return Infinity
    if (nowMs < this.#earliestMs) return this.#earliestMs
    let earliest = Infinity
    const check = (pending: Pending): void => {
      if (pending.deadlineMs > nowMs) earliest = Math.min(earliest, pending.deadlineMs)
      else this.#giveUp(pending, this.#timeoutError(pending))
    }
    this.#eachPending(check)
    for (const deferred of this.#waiting) {
      if (deferred?.pending?.settled === false) check(deferred.pending)
    }
    if (!this.#handingOver) this.#dropSettled()
    this.#earliestMs = earliest
    return earliest
  }

  /** Nobody waits for it any more. Its reply, if it was sent, will come late. */
  #giveUp(pending: Pending, error: unknown): void {
    if (pending.written && !pending.settled) this.#abandoned++
    pending.settle(error, undefined)
    pending.pieces = undefined
  }

  /** Takes asks that were given up out of the queue: they must not use up the bound of what may wait. */
  #dropSettled(): void {
    const waiting = this.#waiting.filter((deferred) => {
      const settled = deferred?.pending?.settled === true
      if (settled) deferred.pending.answered()
      return deferred !== undefined && !settled
    })
    this.#waiting = waiting
    this.#waitingHead = this.#waitingBytes = this.#largeWaiting = 0
    for (const deferred of waiting) {
      const { length } = deferred!.body
      this.#waitingBytes += length
      if (this.#isLarge(length)) this.#largeWaiting++
    }
  }

  #checkOpen(): void {
    if (this.#closed === undefined && this.#words[STATE] === LANE_STATE.closed) this.poll()
    if (this.#closed !== undefined) throw this.#closed
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
      this.#giveUp(pending, signal.reason)
      // What is left is looked at again, so that an ask that was given up does not keep the process alive.
      this.#earliestMs = -Infinity
      this.owner.wake()
    }
    signal.addEventListener('abort', pending.onAbort, { once: true })
  }

  #fits(bodyBytes: number): boolean {
    if (this.#words === EMPTY_WORDS) return false
    const need = align8(REQUEST_HEADER_BYTES + bodyBytes)
    if (need > this.#largest) return false
    const toEnd = this.#mask + 1 - (this.#tail & this.#mask)
    const total = need <= toEnd ? need : need + toEnd
    if (((this.#tail - this.#done) >>> 0) + total <= this.#maxBytes && ((this.#sentCount - this.#doneCount) | 0) < this.#maxMessages) return true
    this.#done = Atomics.load(this.#words, DONE)
    this.#doneCount = this.#words[DONE_COUNT]!
    const used = (this.#tail - this.#done) >>> 0
    // An actor that died between finishing a message and counting it has counted one too few.
    if (used === 0) this.#sentCount = this.#doneCount
    // An empty ring takes any frame up to `largest`, the pad before it included.
    return used + total <= (used === 0 ? this.#mask + 1 : this.#maxBytes) && ((this.#sentCount - this.#doneCount) | 0) < this.#maxMessages
  }

  #write(pending: Pending | undefined, code: number, flags: number, deadline: number, bytes: Buffer, words: Int32Array | undefined, a: number, b: number, c: number): void {
    const body = (flags & FLAG_LARGE) === 0 ? a + b + c : 4
    const need = align8(REQUEST_HEADER_BYTES + body)
    const ring = this.#ring
    let offset = this.#tail & this.#mask
    const toEnd = this.#mask + 1 - offset
    if (need > toEnd) {
      ring[offset >> 2] = -toEnd
      this.#tail = (this.#tail + toEnd) | 0
      this.#bytesWritten += toEnd
      offset = 0
    }
    const seq = pending === undefined ? -1 : this.#register(pending)
    const at = offset >> 2
    ring[at] = need
    ring[at + 1] = seq
    ring[at + 2] = code | (flags << 16)
    ring[at + 3] = deadline
    ring[at + 4] = a
    ring[at + 5] = b
    ring[at + 6] = c
    if (body > 0) {
      if (words !== undefined && body <= 512) {
        const end = at + 7 + ((body + 3) >> 2)
        for (let to = at + 7, from = 0; to < end; to++, from++) ring[to] = words[from]!
      } else {
        this.#ringBytes.set(bytes.subarray(0, body), offset + REQUEST_HEADER_BYTES)
      }
    }
    this.#tail = (this.#tail + need) | 0
    this.#bytesWritten += need
    this.#sentCount = (this.#sentCount + 1) | 0
    if (pending !== undefined) {
      pending.written = true
      pending.position = this.#bytesWritten
    }
    Atomics.store(this.#words, TAIL, this.#tail)
    this.#bell!.ringIfAsleep()
  }

  /** A position on the lane, no further back than the ring is long, in bytes written. */
  #bytesUpTo(position: number): number {
    return this.#bytesWritten - ((this.#tail - position) >>> 0)
  }

  /** Sequence numbers are places in `#pending`: 0 … 2^30, wrapping. */
  #register(pending: Pending): number {
    if (this.#pendingCount >= this.#pending.length >> 1) this.#growPending()
    let seq = this.#seq
    while (this.#pending[seq & (this.#pending.length - 1)] !== undefined) seq = (seq + 1) & SEQ_MASK
    this.#seq = (seq + 1) & SEQ_MASK
    this.#pending[seq & (this.#pending.length - 1)] = pending
    this.#pendingCount++
    pending.seq = seq
    return seq
  }

  #growPending(): void {
    const old = this.#pending
    this.#pending = new Array<undefined>(old.length * 2).fill(undefined)
    for (const pending of old) {
      if (pending !== undefined) this.#pending[pending.seq & (this.#pending.length - 1)] = pending
    }
  }

  /** Visits the asks that are written and unsettled. */
  #eachPending(visit: (pending: Pending) => unknown): void {
    for (const pending of this.#pending) {
      if (pending !== undefined && !pending.settled) visit(pending)
    }
  }

  #receive(): void {
    const offset = this.#replyHead & this.#replyMask
    const at = offset >> 2
    const words = this.#replies
    const frameBytes = words[at]!
    if (frameBytes < 0) {
      this.#replyHead = (this.#replyHead - frameBytes) | 0
      return
    }
    const seq = words[at + 1]!
    const slot = seq & (this.#pending.length - 1)
    const pending = this.#pending[slot]
    const status = words[at + 2]!
    if (status === STATUS.lost) {
      this.#lose(this.#bytesUpTo(seq))
    } else if (status === STATUS.again) {
      for (const each of this.#pending) if (each !== undefined) each.pieces = undefined
    } else if (pending === undefined || pending.seq !== seq) {
      this.owner.lateReply()
    } else if (status === STATUS.piece) {
      const start = offset + REPLY_HEADER_BYTES
      if (!pending.settled) (pending.pieces ??= []).push(Buffer.from(this.#replyBytes.subarray(start, start + words[at + 3]!)))
    } else {
      this.#take(pending)
      if (pending.settled) this.owner.lateReply()
      else this.#settle(pending, status, offset + REPLY_HEADER_BYTES, words[at + 3]!)
    }
    this.#replyHead = (this.#replyHead + frameBytes) | 0
  }

  /** Nothing more will come for it. */
  #take(pending: Pending): void {
    this.#pending[pending.seq & (this.#pending.length - 1)] = undefined
    this.#pendingCount--
    if (pending.settled) this.#abandoned--
    pending.answered()
  }

  /** What was written up to there was taken, and who was to answer it later is gone. */
  #lose(bytes: number): void {
    for (const pending of this.#pending) {
      if (pending === undefined || pending.position > bytes) continue
      this.#take(pending)
      if (!pending.settled) this.#settle(pending, STATUS.crashed, 0, 0)
    }
  }

  #settle(pending: Pending, status: number, start: number, length: number): void {
    const { label, crashCode } = this.owner
    switch (status) {
      case STATUS.true: return pending.settle(undefined, true)
      case STATUS.false: return pending.settle(undefined, false)
      case STATUS.undefined: return pending.settle(undefined, undefined)
      case STATUS.expired: return pending.settle(new CacheError('ERR_TIMEOUT', `${label} did not get to this within ${pending.timeoutMs} ms and has not begun it; give a longer timeout or send less at a time`, { outcome: 'none', timeout: pending.timeoutMs }), undefined)
      case STATUS.crashed: return pending.settle(new CacheError(crashCode, `${label} died while it worked on this and has been restarted; whether it was carried out is unknown`, { outcome: 'unknown' }), undefined)
      case STATUS.functionTimeout: return pending.settle(new CacheError('ERR_FUNCTION_TIMEOUT', `the function ran in ${label} for longer than its time limit and was killed with its thread; nothing of it was stored`, { outcome: 'none' }), undefined)
    }
    try {
      const value = this.#payload(pending, start, length)
      if (status === STATUS.error) pending.settle(reviveError(value as ErrorDescription), undefined)
      else pending.settle(undefined, value)
    } catch (error) {
      pending.settle(error, undefined)
    }
  }

  #payload(pending: Pending, start: number, length: number): unknown {
    if (pending.pieces === undefined) return decodeValue(this.#replyBytes, start, start + length)
    const whole = Buffer.concat([...pending.pieces, this.#replyBytes.subarray(start, start + length)])
    return decodeValue(whole, 0, whole.length)
  }

  #defer(pending: Pending | undefined, code: number, flags: number, deadline: number, scratch: Scratch, a: number, b: number, c: number): void {
    const length = a + b + c
    const isLarge = this.#isLarge(length)
    const isFull = this.#words !== EMPTY_WORDS && !isLarge && this.#largeWaiting === 0
    if ((this.#bounds.overflow === 'reject' && isFull) || !this.#mayWait(length)) {
      this.refused++
      throw new CacheError('ERR_MAILBOX_FULL', `the mailbox of ${this.owner.label} is full; wait for earlier calls before you send more, or raise the mailbox bounds`)
    }
    const body = Buffer.from(scratch.bytes.subarray(0, length))
    this.#waiting.push({ pending, body, code, flags, deadline, a, b, c })
    this.#waitingBytes += length
    if (isLarge) this.#largeWaiting++
  }

  /** Whether the queue of what waits has room for one more. */
  #mayWait(bodyBytes: number): boolean {
    const { waiting, bytes } = this.#bounds
    // Before the lane is open, and while a body is handed over, nobody can tell that there is no room.
    const most = this.#words === EMPTY_WORDS ? Math.max(waiting, this.#bounds.messages) : this.#isLarge(bodyBytes) ? Math.max(waiting, 1) : waiting
    return this.waitingCount < most && (this.#waitingBytes === 0 || this.#waitingBytes + bodyBytes <= Math.max(MIN_WAITING_BYTES, bytes * 64))
  }

  /** Whether a body does not go through the ring. Nobody knows before the lane is open. */
  #isLarge(bodyBytes: number): boolean {
    return this.#words !== EMPTY_WORDS && align8(REQUEST_HEADER_BYTES + bodyBytes) > this.#largest
  }

  /** The first of those that wait does not wait any more. */
  #shiftWaiting(): void {
    const { length } = this.#waiting[this.#waitingHead]!.body
    this.#waiting[this.#waitingHead++] = undefined
    this.#waitingBytes -= length
    if (this.#isLarge(length)) this.#largeWaiting--
    // Not each time: it moves all that is behind.
    if (this.#waitingHead === this.#waiting.length) this.#waiting = []
    else if (this.#waitingHead > 1024 && this.#waitingHead > this.#waiting.length >> 1) this.#waiting.splice(0, this.#waitingHead)
    else return
    this.#waitingHead = 0
  }

  /** Writes what waits, in order, as far as there is room. True if anything was written. */
  #flushWaiting(): boolean {
    let moved = false
    while (this.#waitingHead < this.#waiting.length && !this.#handingOver) {
      const { pending, body, code, flags, deadline, a, b, c } = this.#waiting[this.#waitingHead]!
      if (pending?.settled !== true) {
        const isLarge = this.#isLarge(a + b + c)
        if (!this.#fits(isLarge ? 4 : a + b + c)) break
        if (isLarge) {
          this.#handOver(this.#waiting[this.#waitingHead]!)
          return true
        }
        this.#write(pending, code, flags, deadline, body, undefined, a, b, c)
      } else {
        pending.answered()
      }
      this.#shiftWaiting()
      moved = true
    }
    return moved
  }

  /** A body beyond the ring goes to the host in a buffer of its own; its frame follows when it is there. */
  #handOver(deferred: Deferred): void {
    this.#handingOver = true
    const { pending, body, code, flags, deadline, a, b, c } = deferred
    const shared = new SharedArrayBuffer(body.length)
    Buffer.from(shared).set(body)
    const id = (this.#largeId = (this.#largeId + 1) & SEQ_MASK)
    const settled = (): void => {
      this.#handingOver = false
      if (this.#closed !== undefined) return
      this.#shiftWaiting()
      this.#flushWaiting()
      this.owner.wake()
    }
    this.owner.handOver(this, id, shared).then(() => {
      const idBytes = Buffer.alloc(4)
      idBytes.writeInt32LE(id)
      if (this.#closed === undefined) {
        // Given up meanwhile: the host must hear all the same that the body is not wanted, and skips what is overdue. By far:
        // a host in a long batch goes by the time at which it began it.
        if (pending?.settled === true) {
          pending.answered()
          this.#write(undefined, code, FLAG_TELL | FLAG_LARGE, deadlineMsWord(monotonicMs() - LONG_AGO_MS), idBytes, undefined, a, b, c)
        } else {
          this.#write(pending, code, flags | FLAG_LARGE, deadline, idBytes, undefined, a, b, c)
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

/** Sends that wait for room hold at most so many bytes, or 64 times what the mailbox does; a single one may be larger. */
const MIN_WAITING_BYTES = 256 << 20

/** Overdue by every clock, and well within what deadlines can be compared over. */
const LONG_AGO_MS = 2 ** 30

/** Sequence numbers wrap here: small integers on every platform. */
const SEQ_MASK = 0x3fff_ffff

const EMPTY_WORDS = new Int32Array(0)

function withOutcome(error: CacheError, outcome: 'unknown'): CacheError {
  return new CacheError(error.code, error.message, { cause: error.cause, outcome })
}
