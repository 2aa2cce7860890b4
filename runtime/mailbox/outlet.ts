/**
 * A client thread's end of a lane: writes requests, waits for room where there is none, and settles replies.
 *
 * One for each actor that the thread talks to. Everything here runs on the client's thread. A request is a
 * code and up to three sections of bytes, already encoded at the start of a scratch buffer.
 */
import { Scratch } from '../codec/scratch.js'
import { decodeValue } from '../codec/value.js'
import { deadlineMsWord } from '../clock.js'
import { CacheError, reviveError, type ErrorDescription } from '../errors.js'
import type { Bell } from './bell.js'
import {
  CAPACITY, DONE, DONE_COUNT, FLAG_LARGE, FLAG_NO_DEADLINE, FLAG_TELL, HEADER_BYTES, LANE_STATE, MAX_BYTES,
  MAX_MESSAGES, REPLY_CAPACITY, REPLY_HEAD, REPLY_HEADER_BYTES, REPLY_TAIL, REQUEST_HEADER_BYTES, STATE, STATUS, TAIL,
  TAKEN, align8, largestFrame, type MailboxBounds,
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
  /** Where its frame ends in the ring, once it is written. */
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
  #replyHead = 0
  /** As last seen; the truth is further on. */
  #done = 0
  #doneCount = 0
  #sentCount = 0
  #pending: (Pending | undefined)[] = new Array<undefined>(256).fill(undefined)
  #pendingCount = 0
  #seq = 0
  readonly #waiting: Deferred[] = []
  #waitingHead = 0
  #handingOver = false
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

  get isClosed(): boolean {
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
    Atomics.load(this.#words, DONE)
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
    this.#flushWaiting()
  }

  /** Fails everything outstanding, and every later send, with `error`. */
  close(error: CacheError): void {
    if (this.#closed !== undefined) return
    this.#closed = error
    const waiting = this.#waiting.splice(0).slice(this.#waitingHead)
    this.#waitingHead = 0
    for (const { pending } of waiting) {
      pending?.answered()
      pending?.settle(error, undefined)
    }
    if (this.#words !== EMPTY_WORDS) this.poll()
    const taken = this.#words === EMPTY_WORDS ? 0 : Atomics.load(this.#words, TAKEN)
    this.#eachPending((pending) => {
      const ran = ((taken - pending.position) | 0) >= 0
      pending.answered()
      pending.settle(ran ? withOutcome(error, 'unknown') : error, undefined)
    })
  }

  /**
   * Sends an ask whose sections stand in `scratch` from 0: a bytes, b bytes, c bytes.
   * Throws what fails at once: `ERR_MAILBOX_FULL`, `ERR_STOPPED`, an aborted signal's reason.
   */
  ask(code: number, scratch: Scratch, a: number, b: number, c: number, nowMs: number, timeoutMs: number, signal?: AbortSignal): Pending {
    this.#checkOpen()
    if (signal?.aborted === true) throw signal.reason
    const pending = new Pending(nowMs + timeoutMs, timeoutMs)
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
    const large = align8(REQUEST_HEADER_BYTES + a + b + c) > this.#largest
    if (this.#waiting.length !== this.#waitingHead || large || !this.#fits(a + b + c)) {
      // A lane that is still being opened, or that has room but a large body first, queues behind.
      if ((this.#words === EMPTY_WORDS || large) && this.#waiting.length - this.#waitingHead < this.#bounds.messages) {
        this.#defer(undefined, code, flags, 0, scratch, a, b, c)
        this.owner.wake()
        return true
      }
      this.dropped++
      return false
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
    let earliest = Infinity
    const check = (pending: Pending): void => {
      if (pending.deadlineMs > nowMs) earliest = Math.min(earliest, pending.deadlineMs)
      else pending.settle(this.#timeoutError(pending), undefined)
    }
    this.#eachPending(check)
    for (let index = this.#waitingHead; index < this.#waiting.length; index++) {
      const pending = this.#waiting[index]!.pending
      if (pending !== undefined && !pending.settled) check(pending)
    }
    return earliest
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
    pending.onAbort = () => pending.settle(signal.reason ?? new DOMException('aborted', 'AbortError'), undefined)
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
    this.#sentCount = (this.#sentCount + 1) | 0
    if (pending !== undefined) {
      pending.written = true
      pending.position = this.#tail
    }
    Atomics.store(this.#words, TAIL, this.#tail)
    this.#bell!.ringIfAsleep()
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
    if (pending === undefined || pending.seq !== seq) {
      this.owner.lateReply()
    } else if (status === STATUS.piece) {
      const start = offset + REPLY_HEADER_BYTES
      if (!pending.settled) (pending.pieces ??= []).push(Buffer.from(this.#replyBytes.subarray(start, start + words[at + 3]!)))
    } else {
      this.#pending[slot] = undefined
      this.#pendingCount--
      pending.answered()
      if (pending.settled) this.owner.lateReply()
      else this.#settle(pending, status, offset + REPLY_HEADER_BYTES, words[at + 3]!)
    }
    this.#replyHead = (this.#replyHead + frameBytes) | 0
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
    const { overflow, waiting } = this.#bounds
    const opened = this.#words !== EMPTY_WORDS
    const length = a + b + c
    const isLarge = opened && align8(REQUEST_HEADER_BYTES + length) > this.#largest
    if ((overflow === 'reject' && opened && !isLarge) || this.waitingCount >= waiting) {
      this.refused++
      throw new CacheError('ERR_MAILBOX_FULL', `the mailbox of ${this.owner.label} is full; wait for earlier calls before you send more, or raise the mailbox bounds`)
    }
    const body = Buffer.from(scratch.bytes.subarray(0, length))
    this.#waiting.push({ pending, body, code, flags, deadline, a, b, c })
  }

  /** Writes what waits, in order, as far as there is room. True if anything was written. */
  #flushWaiting(): boolean {
    let moved = false
    while (this.#waitingHead < this.#waiting.length && !this.#handingOver) {
      const { pending, body, code, flags, deadline, a, b, c } = this.#waiting[this.#waitingHead]!
      if (pending?.settled !== true) {
        const isLarge = align8(REQUEST_HEADER_BYTES + a + b + c) > this.#largest
        if (!this.#fits(isLarge ? 4 : a + b + c)) break
        if (isLarge) {
          this.#handOver(this.#waiting[this.#waitingHead]!)
          return true
        }
        this.#write(pending, code, flags, deadline, body, undefined, a, b, c)
      } else {
        pending.answered()
      }
      this.#waitingHead++
      moved = true
    }
    if (this.#waitingHead > 1024 || this.#waitingHead === this.#waiting.length) {
      this.#waiting.splice(0, this.#waitingHead)
      this.#waitingHead = 0
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
    this.owner.handOver(this, id, shared).then(() => {
      if (this.#closed !== undefined) return
      const idBytes = Buffer.alloc(4)
      idBytes.writeInt32LE(id)
      this.#write(pending, code, flags | FLAG_LARGE, deadline, idBytes, undefined, a, b, c)
    }, (error: unknown) => {
      pending?.answered()
      pending?.settle(error, undefined)
    }).finally(() => {
      this.#handingOver = false
      this.#waitingHead++
      this.#flushWaiting()
      this.owner.wake()
    }).catch(() => undefined)
  }
}

/** Sequence numbers wrap here: small integers on every platform. */
const SEQ_MASK = 0x3fff_ffff

const EMPTY_WORDS = new Int32Array(0)

function withOutcome(error: CacheError, outcome: 'unknown'): CacheError {
  return new CacheError(error.code, error.message, { cause: error.cause, outcome })
}
